import { canonicalJson } from './checksum.js'
import type { FlagShape } from './flag-shape.js'
import type { HandEdit, ManualTarget, Override } from './override.js'
import {
  autoPart,
  flagRule,
  isList,
  isObject,
  type Json,
  type JsonObject,
  readCoverage,
} from './override-flag.js'
import { readManualWords } from './override-metadata.js'

type Layers = Pick<Override, 'auto' | 'manual'>

/**
 * What a person wants by the flag they wrote: `on` or a new targeting is a manual layer, anything else a reset.
 * `known` is what the metadata tells, where it makes sense: a targeting that it explains is not new.
 */
export function readHandEdit(shape: FlagShape, known: Layers | undefined): HandEdit {
  if (!shape.enabled) return { kind: 'reset' }
  const on = shape.defaultVariant !== undefined && shape.variants[shape.defaultVariant] === true
  const words = readManualWords(shape.metadata)
  const rule = known === undefined ? undefined : flagRule(known)
  const onlyDefaultChanged =
    rule?.targeting !== undefined &&
    shape.targeting !== undefined &&
    canonicalJson(rule.targeting) === canonicalJson(shape.targeting) &&
    (rule.defaultVariant === 'on') !== on
  if (shape.targeting !== undefined && !onlyDefaultChanged) {
    const target = targetOf(shape, shape.targeting, on, known)
    return { kind: 'manual', manual: { scope: 'orgs', target, ...words } }
  }
  return on ? { kind: 'manual', manual: { scope: 'all', ...words } } : { kind: 'reset' }
}

function targetOf(
  shape: FlagShape,
  targeting: JsonObject,
  on: boolean,
  known: Layers | undefined,
): ManualTarget {
  const rule = withoutReferences(targeting, shape.evaluators)
  const whole: ManualTarget = {
    kind: 'rule',
    rule: inOurVariants(rule, shape.variants),
    otherwise: on ? 'on' : 'off',
  }
  const coverage = hasOurVariants(shape.variants) ? readCoverage(rule) : undefined
  if (coverage === undefined) return whole
  const { target, else: others = on ? 'on' : 'off' } = coverage
  return others === 'off' || (known !== undefined && leavesToAuto(others, known)) ? target : whole
}

/** Whether all others are left to the automatic layer. A plain `on` says so only if we wrote it ourselves. */
function leavesToAuto(others: Json, { auto, manual }: Layers): boolean {
  const isAutoPart = canonicalJson(others) === canonicalJson(autoPart(auto))
  return isAutoPart && (others !== 'on' || manual.scope === 'orgs')
}

function hasOurVariants(variants: FlagShape['variants']): boolean {
  return Object.keys(variants).length === 2 && variants.on === true && variants.off === false
}

/** A rule that names variants of its own, told in `on` and `off`; flagd takes a yielded true for the variant "true". */
function inOurVariants(rule: Json, variants: FlagShape['variants']): Json {
  if (hasOurVariants(variants)) return rule
  const named = (value: boolean): Json[] =>
    Object.keys(variants)
      .filter((name) => variants[name] === value)
      .flatMap((name) => (name === 'true' || name === 'false' ? [name, name === 'true'] : [name]))
  return { if: [{ in: [rule, named(true)] }, 'on', { in: [rule, named(false)] }, 'off', null] }
}

/** lists and objects a rule may grow to by its references: shared ones that name each other double at every step */
const MAX_PARTS = 2_000

/**
 * The rule with each `$ref` replaced by what it names: the layer outlives the document. One that names nothing, and any
 * beyond the bound, stays as it is and is refused by the check.
 */
function withoutReferences(rule: Json, evaluators: JsonObject): Json {
  let left = MAX_PARTS
  const expand = (value: Json, within: readonly string[]): Json => {
    if (typeof value !== 'object' || value === null) return value
    left -= 1
    if (left < 0) return value
    if (isList(value)) return value.map((item) => expand(item, within))
    if (!isObject(value)) return value
    const name = Object.keys(value).length === 1 ? value.$ref : undefined
    if (typeof name === 'string' && Object.hasOwn(evaluators, name) && !within.includes(name))
      return expand(evaluators[name] ?? null, [...within, name])
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expand(item, within)]))
  }
  return expand(rule, [])
}
