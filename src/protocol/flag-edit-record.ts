import { z } from 'zod'
import { instant } from './instant.js'

/** An edit of the operators' file as it is kept and told: who, what, before → after. */

/** One value that an edit changes. `before` and `after` are absent if there is nothing. */
export const flagChangeSchema = z.strictObject({
  /** of the document, as `flags.chat-execution-mode.defaultVariant` */
  path: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
})
export type FlagChange = z.infer<typeof flagChangeSchema>

/**
 * One value as it is kept. A list of texts that changed has `added` and `removed` in place of the two whole lists; a value
 * whose JSON is longer than 2,000 characters is left out, and `long` says so.
 */
export const keptChangeSchema = z.strictObject({
  path: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  added: z.array(z.string()).optional(),
  removed: z.array(z.string()).optional(),
  long: z.literal(true).optional(),
})
export type KeptChange = z.infer<typeof keptChangeSchema>

const recordFields = {
  /** the replica that made it */
  replica: z.string(),
  /** who asked by the API */
  userId: z.string(),
  orgId: z.string(),
  changes: z.array(keptChangeSchema),
  /**
   * SHA-256 of the file before and after, the first part of its ETags: where `fromContent` is not the `toContent` of the
   * edit before, somebody edited by other means in between.
   */
  fromContent: z.string(),
  toContent: z.string(),
}

/** As it is kept; `at` in wall-clock ms. */
export const flagEditRecordSchema = z.strictObject({ at: z.number(), ...recordFields })
export type FlagEditRecord = z.infer<typeof flagEditRecordSchema>

/** In events and notifications, and with its id in `GET /runtime/flags/history`, newest first. */
export const flagEditEventSchema = z.strictObject({ at: z.string(), ...recordFields })
export type FlagEditEvent = z.infer<typeof flagEditEventSchema>
export const flagEditEntrySchema = flagEditEventSchema.extend({ id: z.number().int() })
export type FlagEditEntry = z.infer<typeof flagEditEntrySchema>

export const flagEditEvent = (record: FlagEditRecord): FlagEditEvent => ({
  ...record,
  at: instant(record.at),
})

export const isFlagEdit = <T extends object>(notice: T | FlagEditRecord): notice is FlagEditRecord =>
  'changes' in notice

/** The same for the same edit, from each replica at any time. */
export const flagEditId = ({ replica, at, toContent }: FlagEditRecord): string =>
  [replica, 'flags', at, toContent.slice(0, 12)].join('/')

/** characters of a value's JSON */
const MAX_VALUE = 2_000

/** What is kept of the changes: short, whatever was edited. */
export const keptChanges = (changes: readonly FlagChange[]): KeptChange[] => changes.map(keptChange)

function keptChange({ path, ...values }: FlagChange): KeptChange {
  const { before, after } = values
  if (isTextList(before) && isTextList(after)) {
    const added = after.filter((item) => !before.includes(item))
    const removed = before.filter((item) => !after.includes(item))
    return isShort([added, removed]) ? { path, added, removed } : { path, long: true }
  }
  return isShort([before, after]) ? { path, ...values } : { path, long: true }
}

const isShort = (value: unknown): boolean => JSON.stringify(value).length <= MAX_VALUE

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
