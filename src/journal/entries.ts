import { storableText } from '../core/text.js'
import type { EvidenceSample, Transition } from './journal.js'

/** characters of one JSON value; a larger one is left out, so that what waits in memory stays bounded */
export const MAX_JSON = 65_536
/** characters of a name or of a person's words (the API takes 500, a file edited by hand may have more) */
const MAX_TEXT = 2_000

/** A transition ready to be kept: every text storable, evidence and guardrails as JSON text. */
export interface TransitionEntry extends Omit<Transition, 'evidence' | 'guardrails'> {
  readonly evidence?: string
  readonly guardrails?: string
}

/** A sample ready to be kept. */
export interface SampleEntry extends Omit<EvidenceSample, 'input'> {
  readonly input: string
}

/** Evidence that is no JSON, or too much of it, is left out: the transition itself counts for more. */
export function transitionEntry(transition: Transition): TransitionEntry {
  const { evidence, guardrails, userId, reason, value, threshold, holdUntil, ...rest } = transition
  return {
    ...rest,
    at: Math.round(transition.at),
    replica: text(transition.replica),
    ...given('userId', userId === undefined ? undefined : text(userId)),
    ...given('reason', reason === undefined ? undefined : text(reason)),
    ...given('value', Number.isFinite(value) ? value : undefined),
    ...given('threshold', Number.isFinite(threshold) ? threshold : undefined),
    ...given('holdUntil', holdUntil === undefined ? undefined : Math.round(holdUntil)),
    ...given('evidence', jsonText(evidence ?? undefined)),
    ...given('guardrails', jsonText(guardrails ?? undefined)),
  }
}

/** Undefined where the input is no JSON, or too much of it: without its input a sample says nothing. */
export function sampleEntry(sample: EvidenceSample): SampleEntry | undefined {
  const input = jsonText(sample.input)
  if (input === undefined) return undefined
  return {
    at: Math.round(sample.at),
    replica: text(sample.replica),
    run: text(sample.run),
    seq: sample.seq,
    input,
  }
}

/** `{ [name]: value }`, or nothing where there is none. */
export function given<K extends string, V>(name: K, value: V | null | undefined): { [name in K]?: V } {
  const property: { [name in K]?: V } = {}
  if (value !== null && value !== undefined) property[name] = value
  return property
}

const text = (value: string): string => storableText(value.slice(0, MAX_TEXT))

function jsonText(value: unknown): string | undefined {
  try {
    const json: string | undefined = JSON.stringify(value)
    return json === undefined || json.length > MAX_JSON ? undefined : json
  } catch {
    return undefined
  }
}

/** The value of a kept JSON text; undefined where somebody else changed it to something that is none. */
export function jsonValue(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
