import { OVERRIDE_FLAG_KEY } from '../../../src/protocol/fallback.js'
import { covers as isInScope, type ScopeSubject } from '../../../src/protocol/fallback-scope.js'
import { type Override, scopeOfAuto } from '../../../src/store/override/override.js'
import {
  overrideOfMetadata,
  type ParsedOverride,
  parseOverride,
} from '../../../src/store/override/override-document.js'
import { isObject } from '../../../src/store/override/override-flag.js'

/** Who put a content there. */
export type Author = 'machine' | 'person'

/** One content of the override's file. */
export interface Content {
  readonly text: string
  readonly hash: string
  readonly author: Author
}

/** A content, as a provider that took it answers. */
export interface View {
  readonly text: string
  readonly revision: number | undefined
  readonly override: Override | undefined
  on(subject: ScopeSubject, session: number): boolean
}

const parsed = new Map<string, ParsedOverride>()
/** texts whose parsing is kept: enough for one schedule */
const MAX_KEPT = 2000

export function parsedOf(text: string): ParsedOverride {
  const known = parsed.get(text)
  if (known !== undefined) return known
  if (parsed.size > MAX_KEPT) parsed.clear()
  const value = parseOverride(text)
  parsed.set(text, value)
  return value
}

export function revisionOf(text: string): number | undefined {
  const value = parsedOf(text)
  if (value.kind === 'override') return value.override.revision
  return value.kind === 'hand_edit' ? value.revision : undefined
}

/** What a provider makes of a text; undefined: it refuses it, and keeps what it has. */
export function viewOf(text: string): View | undefined {
  const value = parsedOf(text)
  if (value.kind === 'unparsable') return undefined
  const metadata = metadataIn(text)
  const override = metadata === undefined ? undefined : overrideOfMetadata(metadata)
  return {
    text,
    revision: override?.revision,
    override,
    on: (subject, session) => {
      if (value.kind === 'override') return isOn(value.override, subject, session)
      return value.edit.kind === 'manual' && covers(value.edit.manual, subject.orgId)
    },
  }
}

/** The union of both layers, as the flag would be evaluated; sessions are 0 to 99. */
export function isOn({ auto, manual }: Override, subject: ScopeSubject, session: number): boolean {
  if (covers(manual, subject.orgId)) return true
  if (!isInScope(scopeOfAuto(auto), subject)) return false
  switch (auto.state) {
    case 'normal':
      return false
    case 'fallback':
      return true
    case 'recovering':
      return session >= auto.percent
  }
}

/** A person's own rule covers nobody here. */
export function covers(manual: Override['manual'], orgId: string): boolean {
  if (manual.scope === 'orgs') return manual.target.kind === 'orgs' && manual.target.orgIds.includes(orgId)
  return manual.scope === 'all'
}

function metadataIn(text: string): Readonly<Record<string, string | number | boolean>> | undefined {
  const document: unknown = JSON.parse(text)
  const flags = isObject(document) ? document.flags : undefined
  const flag = isObject(flags) ? flags[OVERRIDE_FLAG_KEY] : undefined
  const metadata = isObject(flag) ? flag.metadata : undefined
  if (!isObject(metadata)) return {}
  const flat: Record<string, string | number | boolean> = {}
  for (const [key, value] of Object.entries(metadata))
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      flat[key] = value
  return flat
}
