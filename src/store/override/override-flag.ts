import type { Scope } from '../../protocol/fallback-scope.js'
import {
  type AutoLayer,
  type ManualLayer,
  type ManualTarget,
  type Override,
  scopeOfAuto,
} from './override.js'

/** JSON as `JSON.parse` gives it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** What of the flag decides anything: all but metadata. */
export interface FlagRule {
  readonly state: 'ENABLED'
  readonly variants: { readonly on: true; readonly off: false }
  readonly defaultVariant: 'on' | 'off'
  readonly targeting?: JsonObject
}

/** The flag for an override: the union of its two layers (protocol, "The override"). */
export function flagRule({ auto, manual }: Pick<Override, 'auto' | 'manual'>): FlagRule {
  const targeting = targetingOf(auto, manual)
  return {
    state: 'ENABLED',
    variants: { on: true, off: false },
    defaultVariant: manual.scope === 'all' || isForAll(auto) ? 'on' : 'off',
    ...(targeting === undefined ? {} : { targeting }),
  }
}

/** A targeting that yields nothing leaves those outside a scope alone. */
const isForAll = (auto: AutoLayer): boolean => auto.state !== 'normal' && auto.scope === undefined

function targetingOf(auto: AutoLayer, manual: ManualLayer): JsonObject | undefined {
  switch (manual.scope) {
    case 'all':
      return undefined
    case 'none':
      return autoTargeting(auto)
    case 'orgs':
      return { if: [coverage(manual.target), 'on', autoPart(auto)] }
  }
}

/** Nothing if the default variant says it all. */
function autoTargeting(auto: AutoLayer): JsonObject | undefined {
  const part = autoPart(auto)
  return isObject(part) ? part : undefined
}

/** What the automatic layer alone says, always explicit: it stands in an else branch. */
export function autoPart(auto: AutoLayer): Json {
  const scope = scopeOfAuto(auto)
  return scope === undefined ? shareOf(auto) : { if: [isIn(scope), shareOf(auto), 'off'] }
}

/** For those it acts on. */
function shareOf(auto: AutoLayer): Json {
  switch (auto.state) {
    case 'normal':
      return 'off'
    case 'fallback':
      return 'on'
    case 'recovering':
      return recoveringShare(auto.percent)
  }
}

const isIn = ({ dimension, ids }: Scope): JsonObject => ({
  in: [{ var: dimension === 'orgs' ? 'orgId' : 'agentId' }, [...ids]],
})

/** `off` stands last: as its share grows it only takes sessions over, and gives none back. */
function recoveringShare(percent: number): JsonObject {
  const back = wholePercent(percent)
  return {
    fractional: [
      ['on', 100 - back],
      ['off', back],
    ],
  }
}

/** flagd's shares are whole numbers. */
export function wholePercent(percent: number): number {
  return Number.isFinite(percent) ? Math.min(100, Math.max(0, Math.round(percent))) : 0
}

/** True for whom the manual layer covers. `===`: a rule that yields no text is not equal, where `==` would throw. */
function coverage(target: ManualTarget): JsonObject {
  if (target.kind === 'orgs') return { in: [{ var: 'orgId' }, [...target.orgIds]] }
  const rule = target.rule as Json
  return target.otherwise === 'on' ? { '!==': [rule, 'off'] } : { '===': [rule, 'on'] }
}

/**
 * Whom a targeting covers, where it has the form that `flagRule` writes; `else` is what it says for all others
 * (undefined: nothing, the default variant counts).
 */
export function readCoverage(
  targeting: Json | undefined,
): { readonly target: ManualTarget; readonly else: Json | undefined } | undefined {
  const branches = isObject(targeting) && onlyKey(targeting) === 'if' ? targeting.if : undefined
  if (!isList(branches) || branches.length < 2 || branches.length > 3 || branches[1] !== 'on')
    return undefined
  const target = readTarget(branches[0])
  return target === undefined ? undefined : { target, else: branches[2] ?? undefined }
}

function readTarget(condition: Json | undefined): ManualTarget | undefined {
  if (!isObject(condition)) return undefined
  const operator = onlyKey(condition)
  const operands = operator === undefined ? undefined : condition[operator]
  if (!isList(operands) || operands.length !== 2) return undefined
  const [first, second] = operands
  if (operator === 'in' && isOrgVariable(first) && isList(second) && second.every(isText))
    return { kind: 'orgs', orgIds: second }
  if (operator === '===' && second === 'on') return { kind: 'rule', rule: first, otherwise: 'off' }
  if (operator === '!==' && second === 'off') return { kind: 'rule', rule: first, otherwise: 'on' }
  return undefined
}

function isOrgVariable(value: Json | undefined): boolean {
  if (!isObject(value) || onlyKey(value) !== 'var') return false
  const name = value.var
  return name === 'orgId' || (isList(name) && name.length === 1 && name[0] === 'orgId')
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value)
}

const isText = (value: unknown): value is string => typeof value === 'string'

function onlyKey(value: JsonObject): string | undefined {
  const keys = Object.keys(value)
  return keys.length === 1 ? keys[0] : undefined
}
