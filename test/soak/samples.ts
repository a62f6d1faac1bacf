import { readdirSync, readlinkSync, statSync } from 'node:fs'
import Database from 'libsql'
import { z } from 'zod'
import type { Replica } from '../chaos/replica.js'
import { waitFor } from '../chaos/wait-for.js'
import type { Point } from './trend.js'

/** One number over the run. */
export interface Series {
  readonly who: string
  readonly what: string
  readonly unit: string
  /** growth an hour that is still called flat, in that unit */
  readonly bound: number
  readonly points: Point[]
}

const MB = 1_048_576
const PATIENCE_MS = 30_000
const sampleSchema = z.object({
  msg: z.literal('soak sample'),
  heapUsed: z.number(),
  rss: z.number(),
  external: z.number(),
  timers: z.number().optional(),
  handles: z.record(z.string(), z.number()),
})

/**
 * What is measured of each process, the unit, and the growth an hour that is called flat. Handles and timers follow the turns under
 * way; thousands of turns come in an hour, so a leak in one of a few hundred turns is found.
 */
const OF_PROCESS = {
  heap: { what: 'heap after GC', unit: 'MB', bound: 4 },
  external: { what: 'outside the heap', unit: 'MB', bound: 8 },
  rss: { what: 'RSS', unit: 'MB', bound: 40 },
  handles: { what: 'active handles', unit: '', bound: 30 },
  descriptors: { what: 'file descriptors', unit: '', bound: 30 },
  sockets: { what: 'sockets', unit: '', bound: 30 },
  timers: { what: 'timers', unit: '', bound: 30 },
} as const
const OF_DATABASE = {
  conversations: { what: 'conversations in the database', unit: 'MB', bound: 1 },
  rest: { what: 'database without what is kept by age', unit: 'MB', bound: 2 },
  wal: { what: 'write-ahead log', unit: 'MB', bound: 2 },
} as const

/** Tables that are kept by count and age, and grow until then: the journal, and the keys of messages that were sent again. */
const JOURNAL =
  /^(?:idempotency|transitions|samples|comparisons|contents|executions|drops|edits|rollout_changes)/

type Values = Record<Exclude<keyof typeof OF_PROCESS, 'timers'>, number> & {
  readonly timers: number | undefined
}
export type AtRest = Values & { readonly who: string }

export class Samples {
  readonly #series = new Map<string, Series>()
  /** bytes of the journal's tables, at the first sample and at the newest */
  journal: { readonly first: number; readonly last: number } = { first: 0, last: 0 }
  newest = ''

  constructor(private readonly database: string) {}

  get all(): readonly Series[] {
    return [...this.#series.values()]
  }

  /** Drops what a process measured before its restart. */
  forget(who: string): void {
    for (const [key, series] of this.#series) if (series.who === who) this.#series.delete(key)
  }

  /** What a process holds while nobody is there. */
  readonly atRest: AtRest[] = []

  async takeAtRest(replica: Replica): Promise<void> {
    this.atRest.push({ who: replica.name, ...(await valuesOf(replica)) })
  }

  async takeOf(replica: Replica, at: number): Promise<void> {
    const values = await valuesOf(replica)
    for (const [key, value] of Object.entries(values) as [keyof typeof values, number | undefined][])
      if (value !== undefined) this.#add(replica.name, OF_PROCESS[key], at, value)
    this.newest = `${replica.name}: heap ${values.heap.toFixed(1)} MB, RSS ${values.rss.toFixed(0)} MB, ${values.descriptors} descriptors, ${values.handles} handles`
  }

  takeOfDatabase(at: number): void {
    const tables = tablesOf(this.database)
    const sum = (which: (name: string) => boolean): number =>
      [...tables].reduce((total, [name, bytes]) => total + (which(name) ? bytes : 0), 0)
    const journal = sum((name) => JOURNAL.test(name))
    this.journal = { first: this.journal.first || journal, last: journal }
    const conversations = sum((name) => /^(?:sessions|turns|running)/.test(name))
    this.#add('both', OF_DATABASE.conversations, at, conversations / MB)
    this.#add('both', OF_DATABASE.rest, at, (statSync(this.database).size - journal) / MB)
    this.#add('both', OF_DATABASE.wal, at, (sizeOf(`${this.database}-wal`) ?? 0) / MB)
  }

  #add(who: string, about: Omit<Series, 'who' | 'points'>, at: number, value: number): void {
    const key = `${who} ${about.what}`
    const series = this.#series.get(key) ?? { who, ...about, points: [] }
    series.points.push({ at, value })
    this.#series.set(key, series)
  }
}

async function valuesOf(replica: Replica): Promise<Values> {
  const { pid, log } = replica
  // The log drops old lines, so the newest sample is found by itself and not by its index.
  const before = log.findLast(isSample)
  process.kill(pid, 'SIGUSR2')
  let found: Record<string, unknown> | undefined
  await waitFor(
    `a sample of ${replica.name}`,
    () => {
      found = log.findLast(isSample)
      if (!replica.isRunning || replica.pid !== pid) throw new Error('it has ended')
      return found === before ? 'none' : ''
    },
    PATIENCE_MS,
  )
  const sample = sampleSchema.parse(found)
  const links = descriptorsOf(pid)
  return {
    heap: sample.heapUsed / MB,
    external: sample.external / MB,
    rss: sample.rss / MB,
    handles: Object.values(sample.handles).reduce((sum, count) => sum + count, 0),
    descriptors: links.length,
    sockets: links.filter((link) => link.startsWith('socket:')).length,
    timers: sample.timers,
  }
}

const isSample = ({ msg }: Record<string, unknown>): boolean => msg === 'soak sample'

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)]
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}

const sizeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size

/** Bytes of each table and index. */
function tablesOf(path: string): Map<string, number> {
  const connection = new Database(path, { readonly: true })
  try {
    const rows = connection.prepare('SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name').all()
    const parsed = z.array(z.object({ name: z.string(), bytes: z.number() })).parse(rows)
    return new Map(parsed.map(({ name, bytes }) => [name, bytes]))
  } finally {
    connection.close()
  }
}
