import type { FlagEdit, OpsValues } from '../../protocol/flag-edit.js'
import {
  LIMIT_FIELDS,
  type LimitFault,
  type LimitTexts,
  limitsEdit,
  limitTexts,
  weightsOnTop,
} from './limit-values.js'

/** The form's fields as texts, what they change, and two edits of the same file compared (pure). */

/** Every field as it stands in its input. */
export interface FormValues {
  /** a mode; empty: the environment */
  readonly mode: string
  /** one a line */
  readonly orgs: string
  readonly canary: string
  /** empty: the environment */
  readonly shadow: string
  readonly policy: string
  /** one a line; empty: all */
  readonly route: string
  /** JSON of each field */
  readonly guardrails: Readonly<Record<string, string>>
  readonly limits: LimitTexts
}

export function formOf(values: OpsValues): FormValues {
  const { mode, shadow, guardrails, fallbackPolicy, limits, llmRoute } = values
  return {
    mode: mode.value ?? '',
    orgs: (mode.enabledOrgs ?? []).join('\n'),
    canary: mode.canaryPercent === null ? '' : String(mode.canaryPercent),
    shadow: shadow.percent === null ? '' : String(shadow.percent),
    policy: fallbackPolicy ?? '',
    route: (llmRoute ?? []).join('\n'),
    guardrails: Object.fromEntries(
      Object.entries(guardrails ?? {}).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
    limits: limitTexts(limits),
  }
}

export type EditOf =
  | { readonly kind: 'edit'; readonly edit: FlagEdit }
  | { readonly kind: 'none' }
  /** name of a guardrail whose text is no JSON */
  | { readonly kind: 'fault'; readonly field: string }
  /** a limit that cannot be */
  | { readonly kind: 'limit'; readonly field: keyof LimitTexts; readonly fault: LimitFault }

/**
 * What `now` changes of `before`: fields that are equal are not in it, and organisations are added and removed one by one,
 * so that what somebody else does to the others stays.
 */
export function editOf(before: FormValues, now: FormValues): EditOf {
  const guardrails: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(now.guardrails)) {
    if (text.trim() === before.guardrails[name]) continue
    const value = parsed(text)
    if (value === undefined) return { kind: 'fault', field: name }
    if (JSON.stringify(value.json) !== before.guardrails[name]) guardrails[name] = value.json
  }
  const limits = limitsEdit(before.limits, now.limits)
  if (limits.kind === 'fault') return { ...limits, kind: 'limit' }
  const orgs = orgsEdit(lines(before.orgs), lines(now.orgs))
  const route = lines(now.route)
  const edit: FlagEdit = {
    ...(now.mode === before.mode ? {} : { mode: modeOf(now.mode) }),
    ...(orgs === undefined ? {} : { enabledOrgs: orgs }),
    ...(now.canary.trim() === before.canary ? {} : { canaryPercent: Number(now.canary) }),
    ...(now.shadow.trim() === before.shadow ? {} : { shadowPercent: percentOf(now.shadow) }),
    ...(now.policy === before.policy || !isPolicy(now.policy) ? {} : { fallbackPolicy: now.policy }),
    ...(same(route, lines(before.route))
      ? {}
      : { llmRoute: route.length === 0 ? null : { endpoints: route } }),
    ...(Object.keys(guardrails).length === 0 ? {} : { guardrails }),
    ...(Object.keys(limits.limits).length === 0 ? {} : { limits: limits.limits }),
  }
  return Object.keys(edit).length === 0 ? { kind: 'none' } : { kind: 'edit', edit }
}

const modeOf = (text: string): FlagEdit['mode'] =>
  text === 'direct_llm' || text === 'runtime_orchestrator' ? text : null

const isPolicy = (text: string): text is 'auto' | 'observe' | 'off' =>
  text === 'auto' || text === 'observe' || text === 'off'

const percentOf = (text: string): number | null => (text.trim() === '' ? null : Number(text))

function parsed(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

export const lines = (text: string): string[] => [
  ...new Set(
    text
      .split(/[\n,]/)
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  ),
]

function orgsEdit(before: readonly string[], now: readonly string[]): FlagEdit['enabledOrgs'] {
  const add = now.filter((org) => !before.includes(org))
  const remove = before.filter((org) => !now.includes(org))
  if (add.length === 0 && remove.length === 0) return undefined
  return { ...(add.length === 0 ? {} : { add }), ...(remove.length === 0 ? {} : { remove }) }
}

const same = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((item, at) => item === other[at])

/** One field in which two people differ, or one of them changed something. */
export interface FieldConflict {
  readonly field: string
  readonly before: string
  readonly theirs: string
  readonly mine: string
}

/** Every field that differs in any of the three. */
export function compare(before: FormValues, theirs: FormValues, mine: FormValues): FieldConflict[] {
  const within = (outer: string, texts: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [`${outer}.${name}`, text]))
  const flat = ({ guardrails, limits, ...rest }: FormValues): Record<string, string> => ({
    ...rest,
    ...within('guardrails', guardrails),
    ...within('limits', limits),
  })
  const [a, b, c] = [flat(before), flat(theirs), flat(mine)]
  return [...new Set([...Object.keys(a), ...Object.keys(b), ...Object.keys(c)])]
    .map((field) => ({ field, before: a[field] ?? '', theirs: b[field] ?? '', mine: c[field] ?? '' }))
    .filter(({ before, theirs, mine }) => before !== theirs || before !== mine)
}

/** What is mine, made on top of theirs: fields that I did not touch are theirs. */
export function onTop(before: FormValues, theirs: FormValues, mine: FormValues): FormValues {
  const pick = (b: string, t: string, m: string): string => (m === b ? t : m)
  const orgs = new Set(lines(theirs.orgs))
  for (const org of lines(mine.orgs)) if (!lines(before.orgs).includes(org)) orgs.add(org)
  for (const org of lines(before.orgs)) if (!lines(mine.orgs).includes(org)) orgs.delete(org)
  return {
    mode: pick(before.mode, theirs.mode, mine.mode),
    orgs: [...orgs].join('\n'),
    canary: pick(before.canary, theirs.canary, mine.canary),
    shadow: pick(before.shadow, theirs.shadow, mine.shadow),
    policy: pick(before.policy, theirs.policy, mine.policy),
    route: pick(before.route, theirs.route, mine.route),
    guardrails: Object.fromEntries(
      Object.entries(theirs.guardrails).map(([name, text]) => [
        name,
        pick(before.guardrails[name] ?? '', text, mine.guardrails[name] ?? before.guardrails[name] ?? ''),
      ]),
    ),
    limits: {
      ...theirs.limits,
      ...Object.fromEntries(
        LIMIT_FIELDS.map(({ name }) => [
          name,
          pick(before.limits[name], theirs.limits[name], mine.limits[name]),
        ]),
      ),
      weights: weightsOnTop(before.limits.weights, theirs.limits.weights, mine.limits.weights),
    },
  }
}
