import { z } from 'zod'

/** Whom an automatic fallback covers: everybody, or some orgs or agents. */
export const FALLBACK_SCOPES = ['all', 'orgs', 'agents'] as const
export const fallbackScopeSchema = z.enum(FALLBACK_SCOPES)
export type FallbackScopeName = z.infer<typeof fallbackScopeSchema>

export const SCOPE_DIMENSIONS = ['orgs', 'agents'] as const
export type ScopeDimension = (typeof SCOPE_DIMENSIONS)[number]

/** Orgs or agents by id: sorted, each once, at least one. Where there is none (`undefined`) everybody is meant. */
export interface Scope {
  readonly dimension: ScopeDimension
  readonly ids: readonly string[]
}

/** More than so many ids are no scope: then everybody falls back. */
export const MAX_SCOPE_IDS = 20

/** Of whom a scope is asked; `agentId` is the caller's wish. */
export interface ScopeSubject {
  readonly orgId: string
  readonly agentId: string
}

export function scopeOf(dimension: ScopeDimension, ids: Iterable<string>): Scope {
  return { dimension, ids: [...new Set(ids)].sort() }
}

/** The id that counts in this dimension. */
export function idIn(dimension: ScopeDimension, { orgId, agentId }: ScopeSubject): string {
  return dimension === 'orgs' ? orgId : agentId
}

export function covers(scope: Scope | undefined, subject: ScopeSubject): boolean {
  return scope === undefined || scope.ids.includes(idIn(scope.dimension, subject))
}

/** Whether all that `part` covers is covered by `whole`, as far as the ids tell. */
export function includesScope(whole: Scope | undefined, part: Scope | undefined): boolean {
  if (whole === undefined) return true
  if (part === undefined || part.dimension !== whole.dimension) return false
  return part.ids.every((id) => whole.ids.includes(id))
}

/** Both together; everybody where that is no scope any more: of two dimensions, or of too many ids. */
export function unionOf(a: Scope | undefined, b: Scope | undefined): Scope | undefined {
  if (a === undefined || b === undefined || a.dimension !== b.dimension) return undefined
  const union = scopeOf(a.dimension, [...a.ids, ...b.ids])
  return union.ids.length > MAX_SCOPE_IDS ? undefined : union
}

export function isSameScope(a: Scope | undefined, b: Scope | undefined): boolean {
  return includesScope(a, b) && includesScope(b, a)
}

export const scopeName = (scope: Scope | undefined): FallbackScopeName => scope?.dimension ?? 'all'

/** Comma-separated, as the flag's metadata and the journal keep them; a comma within an id is `%2C`, a percent sign `%25`. */
export function joinScopeIds(ids: readonly string[]): string {
  return ids.map((id) => id.replaceAll('%', '%25').replaceAll(',', '%2C')).join(',')
}

export function splitScopeIds(text: string): string[] {
  return text.split(',').map((id) => id.replaceAll('%2C', ',').replaceAll('%25', '%'))
}

/** What a name and its ids say; `undefined` where they make no sense together. */
export function readScope(
  name: FallbackScopeName,
  ids: string | undefined,
): { readonly scope?: Scope } | undefined {
  if (name === 'all') return {}
  return ids === undefined ? undefined : { scope: scopeOf(name, splitScopeIds(ids)) }
}

/** For whom, as an addition to a reason; empty for everybody. */
export function scopeNote(scope: Scope | undefined, language: 'zh-CN' | 'en'): string {
  if (scope === undefined) return ''
  const isOrgs = scope.dimension === 'orgs'
  // Their names are kept from who asks.
  if (scope.ids.length === 0) return language === 'zh-CN' ? '（仅限部分智能体）' : ' (only some agents)'
  if (language === 'zh-CN') return `（仅限${isOrgs ? '组织' : '智能体'}: ${scope.ids.join('、')}）`
  return ` (only ${isOrgs ? 'orgs' : 'agents'}: ${scope.ids.join(', ')})`
}
