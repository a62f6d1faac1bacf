import { flagChecksum, sameRule } from './checksum.js'
import { readFlagShape } from './flag-shape.js'
import { readHandEdit } from './hand-edit.js'
import { handEditFault } from './hand-edit-check.js'
import { type HandEdit, NEUTRAL, type Override } from './override.js'
import { flagRule, type Json, readCoverage } from './override-flag.js'
import { readMetadata, readRevision } from './override-metadata.js'
import { renderOverride } from './override-rendering.js'

export { overrideOfMetadata } from './override-metadata.js'
export { renderOverride } from './override-rendering.js'

/** One content of the override's file. */
export type ParsedOverride =
  /** as a replica wrote it, or the template as shipped */
  | { readonly kind: 'override'; readonly override: Override }
  /** as a person wrote it (fallback rules, compare-and-set); `override` is there where they touched texts alone */
  | {
      readonly kind: 'hand_edit'
      readonly edit: HandEdit
      readonly revision?: number
      readonly override?: Override
    }
  /** neither; `detail` is for an operator, with the line */
  | { readonly kind: 'unparsable'; readonly detail: string }

/** Total: any text has an answer, nothing is thrown. */
export function parseOverride(text: string): ParsedOverride {
  const read = readFlagShape(text)
  if (read.kind === 'fault') return { kind: 'unparsable', detail: read.detail }
  const { shape } = read
  const checksum = flagChecksum(shape.flag)
  const stored = shape.metadata.checksum
  const told = readMetadata(shape.metadata, readCoverage(shape.targeting)?.target)
  const override = told !== undefined && tellsTheRule(told, checksum) ? told : undefined
  if (override !== undefined && (stored === checksum || isTemplate(override, stored)))
    return { kind: 'override', override }
  const edit = readHandEdit(shape, told)
  const fault = handEditFault(text, shape, edit)
  if (fault !== undefined) return { kind: 'unparsable', detail: fault }
  const revision = readRevision(shape.metadata)
  const onlyTexts = override !== undefined && typeof stored === 'string' && sameRule(stored, checksum)
  return {
    kind: 'hand_edit',
    edit,
    ...(revision === undefined ? {} : { revision }),
    ...(onlyTexts ? { override } : {}),
  }
}

/** What a person wants who put an older document of ours back (its revision is below the highest seen). */
export function handEditOf(override: Override): HandEdit {
  const read = readFlagShape(renderOverride(override))
  return read.kind === 'shape' ? readHandEdit(read.shape, undefined) : { kind: 'reset' }
}

/** Whether the metadata still tells what the rule does. */
function tellsTheRule(told: Override, checksum: string): boolean {
  return sameRule(flagChecksum({ ...flagRule(told) }), checksum)
}

/** Nobody has written it yet: nothing is in effect, and nobody signed it. */
function isTemplate({ auto, manual, trips, revision }: Override, checksum: Json | undefined): boolean {
  return (
    checksum === undefined &&
    revision === NEUTRAL.revision &&
    trips === NEUTRAL.trips &&
    auto.state === 'normal' &&
    manual.scope === 'none'
  )
}
