/** The flag `chat-limits` as texts of a form, what is wrong with one, and what they change (pure). */

/** Whole numbers from `least` to `most`. `empty`: what an empty field leaves the limit to. */
export const LIMIT_FIELDS = [
  { name: 'maxStreams', least: 1, most: 1_000_000, empty: 'CHAT_MAX_STREAMS' },
  { name: 'streamsPerUser', least: 0, most: 1_000_000, empty: null },
  { name: 'streamsPerOrg', least: 0, most: 1_000_000, empty: null },
  { name: 'startsPerMinutePerUser', least: 0, most: 1_000_000, empty: 'CHAT_RATE_LIMIT_PER_MINUTE' },
  { name: 'startsPerMinutePerOrg', least: 0, most: 10_000_000, empty: null },
  { name: 'tokensPerDayPerOrg', least: 0, most: 1_000_000_000_000, empty: null },
  { name: 'overloadDelayMs', least: 0, most: 60_000, empty: 'required' },
] as const
export type LimitName = (typeof LIMIT_FIELDS)[number]['name']

export const LEAST_WEIGHT = 0.01
export const MOST_WEIGHT = 1000
const LONGEST_ORG = 200
/** of the flag; what holds while the file does not say */
const OVERLOAD_DELAY_MS = 100

/** Each limit as it stands in its input, and `weights`: one organisation a line, `acme = 3`. */
export type LimitTexts = Readonly<Record<LimitName | 'weights', string>>

export function limitTexts(limits: Readonly<Record<string, unknown>> | null | undefined): LimitTexts {
  const number = (name: LimitName, absent = ''): string => {
    const value = limits?.[name]
    return typeof value === 'number' ? String(value) : absent
  }
  const weights = limits?.weights
  return {
    maxStreams: number('maxStreams'),
    streamsPerUser: number('streamsPerUser'),
    streamsPerOrg: number('streamsPerOrg'),
    startsPerMinutePerUser: number('startsPerMinutePerUser'),
    startsPerMinutePerOrg: number('startsPerMinutePerOrg'),
    tokensPerDayPerOrg: number('tokensPerDayPerOrg'),
    overloadDelayMs: number('overloadDelayMs', String(OVERLOAD_DELAY_MS)),
    weights:
      typeof weights === 'object' && weights !== null
        ? textOf(Object.entries(weights).map(([org, weight]) => [org, Number(weight)]))
        : '',
  }
}

export type LimitFault =
  | { readonly kind: 'whole'; readonly least: number; readonly most: number }
  /** the line is not `organisation = number`, or names one twice */
  | { readonly kind: 'line' | 'twice'; readonly line: string }
  | { readonly kind: 'weight'; readonly line: string }

/** What is wrong with a text; undefined where nothing is. */
export function limitFault(name: keyof LimitTexts, text: string): LimitFault | undefined {
  if (name === 'weights') {
    const weights = weightsOf(text)
    return 'kind' in weights ? weights : undefined
  }
  const field = LIMIT_FIELDS.find((one) => one.name === name)
  if (field === undefined || (text.trim() === '' && field.empty !== 'required')) return undefined
  const { least, most } = field
  const value = Number(text)
  const isWhole = /^\d+$/.test(text.trim()) && value >= least && value <= most
  return isWhole ? undefined : { kind: 'whole', least, most }
}

export type LimitsEdit =
  | { readonly kind: 'fault'; readonly field: keyof LimitTexts; readonly fault: LimitFault }
  /** as `limits` of an edit; a weight of null is taken away. Empty: nothing changes */
  | { readonly kind: 'limits'; readonly limits: Readonly<Record<string, unknown>> }

/** What `now` changes of `before`; organisations of the weights one by one, so that what somebody else does to others stays. */
export function limitsEdit(before: LimitTexts, now: LimitTexts): LimitsEdit {
  const limits: Record<string, unknown> = {}
  for (const { name } of LIMIT_FIELDS) {
    const text = now[name].trim()
    if (text === before[name].trim()) continue
    const fault = limitFault(name, text)
    if (fault !== undefined) return { kind: 'fault', field: name, fault }
    if (text === '' || Number(text) !== Number(before[name]) || before[name] === '')
      limits[name] = text === '' ? null : Number(text)
  }
  if (now.weights !== before.weights) {
    const [a, b] = [weightsOf(before.weights), weightsOf(now.weights)]
    if ('kind' in b) return { kind: 'fault', field: 'weights', fault: b }
    const from = 'kind' in a ? new Map<string, number>() : a
    const changed = [...new Set([...from.keys(), ...b.keys()])].filter((org) => from.get(org) !== b.get(org))
    if (changed.length > 0)
      limits.weights = Object.fromEntries(changed.map((org) => [org, b.get(org) ?? null]))
  }
  return { kind: 'limits', limits }
}

/** Weights of mine on top of theirs: organisations that I did not touch are theirs. A text of mine that is none stays. */
export function weightsOnTop(before: string, theirs: string, mine: string): string {
  const [a, b, c] = [weightsOf(before), weightsOf(theirs), weightsOf(mine)]
  if ('kind' in a || 'kind' in b || 'kind' in c) return mine
  const orgs = [...new Set([...b.keys(), ...c.keys()])]
  return textOf(
    orgs.flatMap((org): [string, number][] => {
      const weight = c.get(org) === a.get(org) ? b.get(org) : c.get(org)
      return weight === undefined ? [] : [[org, weight]]
    }),
  )
}

const textOf = (weights: readonly (readonly [string, number])[]): string =>
  weights.map(([org, weight]) => `${org} = ${weight}`).join('\n')

function weightsOf(text: string): Map<string, number> | LimitFault {
  const weights = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    // At the last sign: the id of an organisation may have one.
    const at = line.lastIndexOf('=')
    const org = line.slice(0, Math.max(at, 0)).trim()
    const number = line.slice(at + 1).trim()
    if (org === '' || org.length > LONGEST_ORG || !/^\d+(\.\d+)?$/.test(number)) return { kind: 'line', line }
    if (weights.has(org)) return { kind: 'twice', line }
    const weight = Number(number)
    if (weight < LEAST_WEIGHT || weight > MOST_WEIGHT) return { kind: 'weight', line }
    weights.set(org, weight)
  }
  return weights
}
