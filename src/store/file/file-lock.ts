import { createHash } from 'node:crypto'
import { open, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import type { Clock } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import { FlagStoreFailure, lockTimeout } from '../store-fault.js'
import { hardLink } from './hard-link.js'
import { isAbandoned, type LockOwner, markFree, markHeld, newOwner, parseOwner } from './lock-owner.js'
import type { Gate } from './steps.js'

/** how long one call waits for others to be done with the files (ms) */
const WAIT_MS = 1_500
/** between two looks at a lock that others hold (ms); at random, so that those who wait do not look together */
const PAUSE_MS = { least: 2, most: 20 } as const
/** a claim on a claim on a lock: deeper only chance would lead */
const MAX_CLAIMS = 3

export interface FileLockOptions {
  readonly clock: Clock
  /** one start of one process */
  readonly nonce: string
  /** 0 to 1 */
  readonly random: () => number
}

/** A lock that is held. */
export interface HeldLock {
  /** Whether it is still ours: one who hangs for long may have been taken for dead. */
  isOurs(): Promise<boolean>
  /** `before` comes first; whatever fails, the lock is nobody's afterwards and will be broken. */
  release(before: () => void | Promise<void>): Promise<void>
}

interface Seen {
  readonly content: string
  readonly change: string
}

/**
 * A lock that is a file beside those it protects, with its owner in it, made whole in one step (a hard link). Who removes
 * it (its owner as well) first makes a claim file named after its content, and each content is used once: so an abandoned
 * lock is removed by one process alone, and never the next owner's in its place.
 */
export class FileLock {
  /** when we first saw a lock or a claim as it is */
  readonly #unchanged = new Map<string, { readonly change: string; readonly since: number }>()
  #taken = 0

  constructor(private readonly options: FileLockOptions) {}

  /** @throws FlagStoreFailure `lock_timeout`, and the system's errors where the lock cannot be written */
  async acquire(path: string, gate: Gate): Promise<HeldLock> {
    this.#taken += 1
    const owner = newOwner(this.options.nonce, `${this.options.nonce}-${this.#taken}`)
    const ticket = { path: `${path}.${owner.token}`, content: `${JSON.stringify(owner)}\n` }
    markHeld(owner)
    try {
      await gate('lock', path)
      await writeFile(ticket.path, ticket.content, { flag: 'wx' })
      await this.#wait(path, ticket, gate)
    } catch (thrown) {
      markFree(owner)
      await remove(ticket.path)
      throw thrown
    }
    this.#unchanged.clear()
    return {
      isOurs: async () => (await look(path))?.content === ticket.content,
      release: (before) => release(path, ticket, owner, before),
    }
  }

  async #wait(path: string, ticket: Ticket, gate: Gate): Promise<void> {
    const { clock } = this.options
    const since = clock.monotonic()
    while (!(await put(ticket, path))) {
      await this.#breakAbandoned(path, ticket, MAX_CLAIMS)
      const waited = clock.monotonic() - since
      if (waited >= WAIT_MS)
        throw new FlagStoreFailure(lockTimeout(path, holderText(await look(path)), Math.round(waited)))
      await this.#pause()
      await gate('lock', path)
    }
  }

  /** Under a claim of our own, and only what was abandoned. */
  async #breakAbandoned(path: string, ticket: Ticket, claims: number): Promise<void> {
    const seen = await look(path)
    if (seen === undefined || claims === 0) return
    if (!isAbandoned(parseOwner(seen.content), this.#unchangedFor(path, seen))) return
    const claim = claimPath(path, seen.content)
    if (await put(ticket, claim)) await removeClaimed(path, seen.content, claim)
    else await this.#breakAbandoned(claim, ticket, claims - 1)
  }

  /** On our own clock: clocks of other machines decide nothing. */
  #unchangedFor(path: string, { content, change }: Seen): number {
    const now = this.options.clock.monotonic()
    const known = this.#unchanged.get(path)
    if (known?.change === change + content) return now - known.since
    this.#unchanged.set(path, { change: change + content, since: now })
    return 0
  }

  #pause(): Promise<void> {
    const { clock, random } = this.options
    const { least, most } = PAUSE_MS
    return new Promise((resolve) => {
      clock.schedule(least + random() * (most - least), resolve)
    })
  }
}

/** A file of our own with the owner in it, to be linked into place. */
interface Ticket {
  readonly path: string
  readonly content: string
}

async function release(
  path: string,
  ticket: Ticket,
  owner: LockOwner,
  before: () => void | Promise<void>,
): Promise<void> {
  try {
    await before()
    const claim = claimPath(path, ticket.content)
    // A claim that is there already: somebody took us for dead and removes the lock.
    if (await put(ticket, claim)) await removeClaimed(path, ticket.content, claim)
  } finally {
    markFree(owner)
    await remove(ticket.path)
  }
}

async function removeClaimed(path: string, content: string, claim: string): Promise<void> {
  try {
    if ((await look(path))?.content === content) await remove(path)
  } finally {
    await remove(claim)
  }
}

/** What holds `content` is removed under this name alone. */
export function claimPath(path: string, content: string): string {
  const name = createHash('sha256').update(content).digest('hex').slice(0, 16)
  return `${path}.claim-${name}`
}

/** Puts the ticket's content at `path` unless something is there; false then. */
async function put(ticket: Ticket, path: string): Promise<boolean> {
  const result = await hardLink(ticket.path, path)
  return result === 'unsupported' ? create(path, ticket.content) : result === 'linked'
}

/** Without links a process that is killed here leaves a lock that names nobody, to be broken by time. */
async function create(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(content)
    } finally {
      await file.close()
    }
    return true
  } catch (thrown) {
    if (errorCode(thrown) === 'EEXIST') return false
    throw thrown
  }
}

async function look(path: string): Promise<Seen | undefined> {
  try {
    const content = await readFile(path, 'utf8')
    const { ino, mtimeMs } = await stat(path)
    return { content, change: `${ino}:${mtimeMs}:` }
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (thrown) {
    if (errorCode(thrown) !== 'ENOENT') throw thrown
  }
}

function holderText(seen: Seen | undefined): string {
  const owner = seen === undefined ? undefined : parseOwner(seen.content)
  return owner === undefined ? 'others' : `process ${owner.pid} on ${owner.host}`
}
