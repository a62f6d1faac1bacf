import { setTimeout as sleep } from 'node:timers/promises'
import { flagsViewSchema } from '../../../src/protocol/flag-edit.js'
import { dataOf } from '../../support/answers.js'
import type { Replica } from '../replica.js'

const PAUSE_MS = 1000
const CALL_MS = 10_000

/**
 * An operator who lets one org after the other in, by the API of one replica after the other. What was confirmed must be in the flags
 * at the end, whatever breaks meanwhile.
 */
export class Operators {
  readonly #confirmed: string[] = []
  #edits = 0
  #refused = 0
  #isStopped = false
  #running: Promise<void> | undefined

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly authorization: string,
  ) {}

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** how many edits were confirmed and how many refused */
  get counts(): { readonly confirmed: number; readonly refused: number } {
    return { confirmed: this.#confirmed.length, refused: this.#refused }
  }

  /** Confirmed edits that are not in the flags of a replica. */
  async lost(): Promise<readonly string[]> {
    const replica = this.replicas.find(({ isRunning }) => isRunning)
    if (replica === undefined) throw new Error('no replica runs')
    const { ops } = flagsViewSchema.parse(await dataOf(await this.#call(replica, 'GET')))
    const there = new Set(ops.values?.mode.enabledOrgs ?? [])
    return this.#confirmed.filter((org) => !there.has(org))
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#edit()
      await sleep(PAUSE_MS)
    }
  }

  async #edit(): Promise<void> {
    this.#edits += 1
    const running = this.replicas.filter(({ isRunning }) => isRunning)
    const replica = running[this.#edits % running.length]
    if (replica === undefined) return
    const org = `edit-${this.#edits}`
    try {
      const answer = await this.#call(replica, 'PATCH', { enabledOrgs: { add: [org] } })
      await answer.text()
      if (answer.ok) this.#confirmed.push(org)
      else this.#refused += 1
    } catch {
      // It may have been written: nobody was told so.
      this.#refused += 1
    }
  }

  #call({ url }: Replica, method: string, body?: object): Promise<Response> {
    return fetch(`${url}/api/v1/runtime/flags`, {
      method,
      headers: {
        authorization: this.authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'if-match': '*' }),
      },
      signal: AbortSignal.timeout(CALL_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }
}
