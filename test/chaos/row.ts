import { errorText } from '../../src/core/errors.js'
import type { TransitionView } from '../../src/protocol/fallback.js'
import type { OverrideSights } from './override-watch.js'
import type { Replica } from './replica.js'
import { mountTmpfs, type SmallDisk } from './small-disk.js'
import { Stage, type StageOptions } from './stage.js'
import type { Traffic } from './traffic.js'
import { waitFor } from './wait-for.js'

/** One drill: what is broken, and what has to be seen of it. */
export interface Row {
  readonly name: string
  readonly stage: StageOptions
  /** ms it may take by itself to come back; where it is long the row begins first */
  readonly patienceMs?: number
  /** the flag files (or the database) are on a file system of their own, which the drill can fill or make read-only */
  readonly onTmpfs?: true | 'database'
  /** the direct LLM is unhealthy, so holds may end early: good probes of the runtime are enough */
  readonly endsHolds?: true
  /** errors that the replicas log because of what is broken */
  readonly tolerates?: RegExp
  /**
   * Breaks something, sees what must be seen, and ends once everything is mended again; coming back to normal is waited
   * for by the runner. Tells what it measured. Rejects with what it missed.
   */
  drill(stage: Stage, disk: SmallDisk | undefined): Promise<readonly string[]>
  /** What there is to tell once it is back to normal. */
  after?(stage: Stage): Promise<readonly string[]>
}

/** What any drill happens on. */
export interface Scene {
  readonly replicas: readonly Replica[]
  readonly traffic: Traffic
  readonly watch: Pick<OverrideSights, 'sights' | 'faults' | 'first'>
  /** Both backends are dead until then (ms, `performance.now()`): turns that begin before may fail. */
  readonly excusedUntil: number
  /** No edit of the operators is lost. */
  opsKept(): boolean | Promise<boolean>
  backToNormal(patienceMs?: number): Promise<void>
  close(): Promise<void>
}

/** A drill and how its scene is made. */
export interface Play<S extends Scene>
  extends Pick<Row, 'name' | 'patienceMs' | 'endsHolds' | 'tolerates'>,
    Pick<RowResult, 'replicas' | 'resolver'> {
  readonly perSecond: number
  open(): Promise<S>
  drill(scene: S): Promise<readonly string[]>
  after?(scene: S): Promise<readonly string[]>
}

export interface RowResult {
  readonly name: string
  readonly replicas: number
  readonly resolver: string
  readonly turns: number
  readonly failovers: number
  readonly failedBefore: number
  readonly failedAfter: number
  /** on a replica that the row itself killed */
  readonly cut: number
  readonly slowestMs: number
  /** contents of the override's file that were seen */
  readonly contents: number
  readonly isOpsKept: boolean
  /** s from the mending to `normal` everywhere */
  readonly backSeconds: number
  readonly told: readonly string[]
  /** what should not have been; empty: passed */
  readonly faults: readonly string[]
  readonly skipped?: string
}

/** Turns on the runtime again, at the end. */
const LAST_TURNS = 10

/** Runs one drill from a fresh stage to its result. Never rejects. */
export async function runRow(row: Row): Promise<RowResult> {
  if (row.onTmpfs === undefined) return runOn(row, undefined)
  const disk = mountTmpfs(row.onTmpfs === 'database' ? DATABASE_SIZE : undefined)
  if ('refused' in disk) return skipped(playOf(row, undefined), disk.refused)
  try {
    return await runOn(row, disk)
  } finally {
    disk.release()
  }
}

/** A database and its log in quiet times, with room to spare. */
const DATABASE_SIZE = '32m'

function placeOf({ onTmpfs }: Row, disk: SmallDisk | undefined): Partial<StageOptions> {
  if (disk === undefined) return {}
  return onTmpfs === 'database' ? { databaseFolder: disk.folder } : { flagsFolder: disk.folder }
}

const runOn = (row: Row, disk: SmallDisk | undefined): Promise<RowResult> => runPlay(playOf(row, disk))

const playOf = (row: Row, disk: SmallDisk | undefined): Play<Stage> => ({
  ...row,
  replicas: row.stage.replicas,
  resolver: row.stage.resolver ?? 'file',
  perSecond: row.stage.perSecond,
  open: () => Stage.open({ ...row.stage, ...placeOf(row, disk) }),
  drill: (stage) => row.drill(stage, disk),
})

/** What this machine does not allow. */
export const skipped = <S extends Scene>(play: Play<S>, why: string): RowResult => ({
  ...resultOf(play, undefined, NOTHING),
  skipped: why,
})

/** Never rejects. */
export async function runPlay<S extends Scene>(row: Play<S>): Promise<RowResult> {
  let stage: S | undefined
  const ended = {
    faults: [] as string[],
    told: [] as readonly string[],
    backSeconds: Number.NaN,
    isOpsKept: true,
  }
  try {
    stage = await row.open()
    ended.told = await row.drill(stage)
    const mendedAt = performance.now()
    await stage.backToNormal(row.patienceMs)
    const backAt = performance.now()
    ended.backSeconds = (backAt - mendedAt) / 1000
    ended.told = [...ended.told, ...((await row.after?.(stage)) ?? [])]
    if (row.perSecond > 0) await runtimeAnswers(stage)
    await stage.backToNormal()
    // A state that only passed by is not "back to normal".
    if (stage.watch.first(backAt, ({ auto }) => auto.state !== 'normal') !== undefined)
      ended.faults.push('it left normal again')
    if (row.endsHolds !== true)
      ended.faults.push(...holdsKept((await stage.replicas[0]?.operator.history()) ?? []))
    ended.isOpsKept = await stage.opsKept()
    ended.faults.push(...(await stopped(stage)))
  } catch (thrown) {
    ended.faults.push(errorText(thrown))
  }
  if (!ended.isOpsKept) ended.faults.push('an edit of the operators was lost')
  await stage?.close()
  return resultOf(row, stage, ended)
}

const NOTHING = { faults: [], told: [], backSeconds: Number.NaN, isOpsKept: true } as const

async function runtimeAnswers({ traffic, replicas }: Scene): Promise<void> {
  const since = performance.now()
  await waitFor('the runtime to answer on every replica', () => {
    const good = traffic.ended.filter(
      ({ startedAt, decided, failover }) =>
        startedAt >= since && decided === 'runtime_orchestrator' && !failover,
    )
    return replicas
      .filter(({ name }) => good.filter(({ replica }) => replica === name).length < LAST_TURNS)
      .map(({ name }) => `too few on ${name}`)
      .join('; ')
  })
}

/** No replica left a fallback sooner than it said when it began. */
function holdsKept(history: readonly TransitionView[]): string[] {
  const faults: string[] = []
  let heldUntil: number | undefined
  for (const { kind, at, holdUntil } of history.toReversed()) {
    if (kind === 'trip' || kind === 'relapse')
      heldUntil = holdUntil === null ? undefined : Date.parse(holdUntil)
    if (kind === 'reset' || kind === 'hand_edit') heldUntil = undefined
    if (kind !== 'recovery_begun' || heldUntil === undefined) continue
    // The holder counts from its own first sight, on its own clock: it may be a few ms early by another's.
    if (Date.parse(at) < heldUntil - HOLD_TOLERANCE_MS)
      faults.push(`recovery begun at ${at}, within its hold`)
    heldUntil = undefined
  }
  return faults
}

const HOLD_TOLERANCE_MS = 20

/** SIGTERM ends every replica with exit code 0. */
async function stopped(stage: Scene): Promise<string[]> {
  await stage.traffic.stop()
  const codes = await Promise.all(
    stage.replicas.map(async (replica) => ({ name: replica.name, code: await replica.stop() })),
  )
  return codes.filter(({ code }) => code !== 0).map(({ name, code }) => `${name} ended with ${code}`)
}

function resultOf<S extends Scene>(
  row: Play<S>,
  stage: S | undefined,
  ended: Pick<RowResult, 'faults' | 'told' | 'backSeconds' | 'isOpsKept'>,
): RowResult {
  const turns = stage?.traffic.ended ?? []
  const of = (kind: string) => turns.filter((turn) => turn.kind === kind)
  const faults = [...ended.faults]
  for (const kind of ['failed_before', 'broken']) {
    const wrong = of(kind).filter(({ startedAt }) => startedAt > (stage?.excusedUntil ?? 0))
    if (wrong.length > 0) faults.push(`${wrong.length} turns ${kind}: ${reasons(wrong)}`)
  }
  if (stage !== undefined) {
    faults.push(...stage.watch.faults.map((fault) => `override: ${fault}`))
    const isFault = (line: string): boolean => row.tolerates?.test(line) !== true
    faults.push(...stage.replicas.flatMap(({ errors }) => errors.filter(isFault).slice(0, 3)))
    if (stage.traffic.unsent > 0) faults.push(`${stage.traffic.unsent} turns could not be sent`)
  }
  return {
    name: row.name,
    replicas: row.replicas,
    resolver: row.resolver,
    turns: turns.length,
    failovers: turns.filter(({ failover }) => failover).length,
    failedBefore: of('failed_before').length,
    failedAfter: of('failed_after').length,
    cut: stage?.traffic.cut ?? 0,
    slowestMs: Math.max(0, ...turns.map(({ startedAt, endedAt }) => endedAt - startedAt)),
    contents: stage?.watch.sights.length ?? 0,
    ...ended,
    faults,
  }
}

function reasons(turns: readonly { readonly detail: string; readonly replica: string }[]): string {
  const counts = new Map<string, number>()
  for (const { detail, replica } of turns) {
    const key = `${detail} (${replica})`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts].map(([what, times]) => `${times} × ${what}`).join(', ')
}
