import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { type RolloutView, rolloutEntrySchema, rolloutViewSchema } from '../../src/protocol/rollout.js'
import { dataOf } from '../support/answers.js'
import { startTurn } from '../support/chat-client.js'
import { saveByRename } from '../support/flag-files.js'
import { startTestFlagd, type TestFlagd } from '../support/flagd.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

const KEY = 'chat-runtime-rollout'
/** ms; a stage lasts a second */
const PATIENCE_MS = 40_000
/** ms between the turns on a replica: some at each tick are enough, and each costs five processes something */
const TURN_PAUSE_MS = 100

/** Two real replicas on one override file, by each source of flags. */
for (const resolver of ['file', 'in-process', 'rpc'] as const)
  describe(`the guarded rollout by resolver ${resolver}`, function () {
    this.timeout(120_000)
    let flags: TemporaryFlags
    let flagd: TestFlagd | undefined
    let simulators: RunningProcess[]
    let replicas: RunningProcess[] = []

    const startReplica = (name: string): Promise<RunningProcess> =>
      startServiceProcess({
        llmUrl: simulators[0]?.url ?? '',
        runtimeUrl: simulators[1]?.url ?? '',
        flags,
        env: {
          CHAT_REPLICA: name,
          FLAGD_RESOLVER: resolver,
          ...(flagd === undefined
            ? {}
            : {
                FLAGD_HOST: '127.0.0.1',
                FLAGD_PORT: String(resolver === 'rpc' ? flagd.evaluationPort : flagd.syncPort),
              }),
        },
      })
    const call = async (at: number, path: string, method = 'GET', body?: unknown, headers = {}) =>
      fetch(`${replicas[at]?.url}/api/v1/runtime/${path}`, {
        method,
        headers: {
          authorization: await bearer({ role: 'admin' }),
          'accept-language': 'en',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    const view = async (at: number): Promise<RolloutView> =>
      rolloutViewSchema.parse(await dataOf(await call(at, 'rollout')))
    const percents = async () => (await Promise.all([view(0), view(1)])).map(({ percent }) => percent)
    /** Turns on both replicas until something is so. */
    const turnsUntil = (what: string, holds: () => Promise<boolean>): Promise<void> =>
      until(
        what,
        async () => {
          await Promise.all(
            replicas.flatMap(({ url }) => [1, 2, 3].map(async () => startTurn(url, await bearer()))),
          )
          await new Promise((resolve) => setTimeout(resolve, TURN_PAUSE_MS))
          return holds()
        },
        PATIENCE_MS,
      )

    before(async () => {
      flags = temporaryFlags()
      flags.edit(({ flags: { 'chat-runtime-guardrails': guardrails } }) => {
        Object.assign(guardrails?.variants.standard ?? {}, { tickMs: 100, minSamples: 3, recoverySamples: 3 })
      })
      flagd = resolver === 'file' ? undefined : await startTestFlagd([flags.opsFile, flags.overrideFile])
      simulators = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
      replicas = await Promise.all([startReplica('a'), startReplica('b')])
    })
    after(async () => {
      await Promise.all([...replicas, ...simulators].map((process) => process.end('SIGKILL')))
      await flagd?.close()
      flags.remove()
    })

    it('reaches 100% by one change each, is followed by both replicas, and survives a restart', async () => {
      const plan = { stages: [50, 100], everyMinutes: 1 / 60 }
      const started = rolloutViewSchema.parse(await dataOf(await call(0, 'rollout', 'POST', plan)))
      expect(started).to.include({ state: 'running', percent: 50, persisted: true })
      expect((await call(1, 'rollout', 'POST', plan)).status).to.be.oneOf([200, 409])
      await turnsUntil('the end of the rollout', async () => (await view(0)).state === 'finished')
      await until('the other replica', async () => (await view(1)).state === 'finished', PATIENCE_MS)
      const history = rolloutEntrySchema.array().parse(await dataOf(await call(1, 'rollout/history')))
      expect(history.map(({ kind }) => kind).toReversed()).to.deep.equal(['started', 'raised', 'finished'])
      // By rpc a busy machine may let a turn run out of its 50 ms: it takes what was known before.
      await until('a turn of the rollout', async () => {
        const { terminal } = await startTurn(replicas[1]?.url ?? '', await bearer())
        return terminal?.event === 'done' && terminal.data.decision.reason === 'rollout'
      })
      await replicas[0]?.end('SIGKILL')
      replicas[0] = await startReplica('a')
      await until('what was there before', async () => (await view(0)).state === 'finished', PATIENCE_MS)
    })

    it('ends in the same step when the mode is set, by the user who set it', async () => {
      const edit = await call(1, 'flags', 'PATCH', { mode: 'runtime_orchestrator' }, { 'if-match': '*' })
      expect(await dataOf(edit)).to.deep.include({ note: 'The guarded rollout ended with it' })
      expect(await view(1)).to.include({ state: 'ended', end: 'permanent' })
      const [last] = rolloutEntrySchema.array().parse(await dataOf(await call(1, 'rollout/history')))
      await call(1, 'flags', 'PATCH', { mode: 'direct_llm' }, { 'if-match': '*' })
      expect(last).to.include({ kind: 'made_permanent', userId: 'user-1' })
    })

    it('obeys an edit by hand, and refuses one that is no stage', async () => {
      const plan = { stages: [10, 60], everyMinutes: 100 }
      await until('a start', async () => (await call(0, 'rollout', 'POST', plan)).ok, PATIENCE_MS)
      await until(
        'both replicas',
        async () => (await percents()).every((percent) => percent === 10),
        PATIENCE_MS,
      )
      const edited = (percent: number): void => {
        const document = JSON.parse(readFileSync(flags.overrideFile, 'utf8'))
        document.flags[KEY].targeting.fractional.splice(1, 2, ['on', percent], ['off', 100 - percent])
        saveByRename(flags.overrideFile, JSON.stringify(document))
      }
      edited(60)
      // Written by both: an edit within the same milliseconds would be lost to their renaming.
      await until(
        'the stage',
        async () =>
          (await Promise.all([view(0), view(1)])).every(
            ({ percent, persisted }) => percent === 60 && persisted,
          ),
        PATIENCE_MS,
      )
      edited(33)
      await until(
        'the refusal',
        async () => (await Promise.all([view(0), view(1)])).some(({ alerts }) => alerts.length > 0),
        PATIENCE_MS,
      )
      expect(await percents()).to.deep.equal([60, 60])
      expect((await call(1, 'rollout/abort', 'POST')).status).to.equal(200)
      await until('the abort', async () => (await percents()).every((percent) => percent === 0), PATIENCE_MS)
    })
  })
