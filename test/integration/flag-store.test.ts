import { expect } from 'chai'
import { z } from 'zod'
import { flagEditAnswerSchema, flagsViewSchema } from '../../src/protocol/flag-edit.js'
import { parseOverride } from '../../src/store/override/override-document.js'
import { SimulatedService } from '../chaos/actors.js'
import { DRILL, PACE } from '../chaos/guardrails.js'
import { Human } from '../chaos/human.js'
import { Operator } from '../chaos/operator.js'
import { dataOf } from '../support/answers.js'
import { startTurn } from '../support/chat-client.js'
import { freePort } from '../support/free-port.js'
import {
  FEATURE_FLAGS,
  type KubernetesStandIn,
  type StoredObject,
  startKubernetes,
} from '../support/kubernetes-api.js'
import { kubernetesCluster } from '../support/kubernetes-cluster.js'
import { postgresDatabases } from '../support/postgres.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** ms; some seconds on a quiet machine */
const PATIENCE_MS = 60_000

interface Engine {
  /** CHAT_FLAG_STORE */
  readonly store: string
  /** what GET /runtime/flags calls the operators' document */
  readonly opsName: RegExp
  overrideText(): Promise<string>
  /** A person edits the operators' flags in the store: the mode by default. */
  editMode(mode: 'direct_llm' | 'runtime_orchestrator'): Promise<void>
}

const specSchema = z.looseObject({
  flags: z.looseObject({ 'chat-execution-mode': z.looseObject({ defaultVariant: z.string().nullable() }) }),
})

/** Two replicas that share no file: a trip of one, the other follows, both recover; and edits of the operators' flags. */
function twoReplicas(open: () => Promise<Engine>, { isSource }: { readonly isSource: boolean }): void {
  let flags: TemporaryFlags
  let llm: SimulatedService
  let runtime: SimulatedService
  let engine: Engine
  let replicas: RunningProcess[] = []
  let admin = ''

  beforeEach(async () => {
    flags = temporaryFlags()
    new Human(flags.opsFile).prepare({ ...DRILL, minSamples: 1000 })
    ;[llm, runtime, engine, admin] = await Promise.all([
      SimulatedService.start('llm', PACE),
      SimulatedService.start('runtime', PACE),
      open(),
      bearer({ role: 'admin', user: 'operator-1' }),
    ])
    replicas = [await start('a'), await start('b')]
  })
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.end()))
    await Promise.all([llm.kill(), runtime.kill()])
    flags.remove()
  })

  const start = (name: string, env: Record<string, string> = {}): Promise<RunningProcess> =>
    startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: {
        CHAT_REPLICA: name,
        CHAT_DATABASE: `${flags.folder}/${name}.db`,
        CHAT_FLAG_STORE: engine.store,
        CHAT_FLAG_STORE_OPS: 'true',
        // Where nobody looks: whatever is decided comes from the store.
        CHAT_FALLBACK_FLAGS_FILE: `${flags.folder}/nowhere/override.json`,
        ...env,
      },
    })
  const flagsOf = async ({ url }: RunningProcess) => {
    const response = await fetch(`${url}/api/v1/runtime/flags`, { headers: { authorization: admin } })
    return { view: flagsViewSchema.parse(await dataOf(response)), etag: response.headers.get('etag') ?? '' }
  }
  const patch = ({ url }: RunningProcess, body: object, tag: string) =>
    fetch(`${url}/api/v1/runtime/flags`, {
      method: 'PATCH',
      headers: { authorization: admin, 'content-type': 'application/json', 'if-match': tag },
      body: JSON.stringify(body),
    })
  const modeOf = async ({ url }: RunningProcess) =>
    (await startTurn(url, await bearer())).terminal?.data.executionMode
  const states = () =>
    Promise.all(replicas.map(async ({ url }) => (await new Operator(url, admin).status()).fallback.state))

  it('trip, follow and recover together', async () => {
    expect(await Promise.all(replicas.map(modeOf))).to.deep.equal([
      'runtime_orchestrator',
      'runtime_orchestrator',
    ])
    runtime.kill()
    await until('both to fall back', async () => !(await states()).includes('normal'), PATIENCE_MS)
    expect(await Promise.all(replicas.map(modeOf))).to.deep.equal(['direct_llm', 'direct_llm'])
    const stored = parseOverride(await engine.overrideText())
    expect(stored.kind === 'override' ? stored.override.trips : stored.kind).to.equal(1)
    await runtime.restart()
    await until(
      'both to recover',
      async () => {
        // Recovery is shown by turns.
        await Promise.all(replicas.map(modeOf))
        return (await states()).every((state) => state === 'normal')
      },
      PATIENCE_MS,
    )
    await until('the runtime', async () => (await modeOf(replicas[1] ?? fail())) === 'runtime_orchestrator')
    const kinds = (await Promise.all(replicas.map(({ url }) => new Operator(url, admin).history())))
      .flat()
      .map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'trip')).to.have.length.at.most(2)
    expect(kinds).to.include('recovered')
  })

  it('take an edit of the operators\u2019 flags by one replica, and refuse a second from an older view', async () => {
    const [a, b] = [replicas[0] ?? fail(), replicas[1] ?? fail()]
    // The first replica of a new store writes the override a moment after its start.
    for (const replica of [a, b])
      await until('the override to be there', async () => (await flagsOf(replica)).view.state === 'ready')
    const [seenByA, seenByB] = [await flagsOf(a), await flagsOf(b)]
    expect(seenByA.view.ops.file).to.match(engine.opsName)
    expect([seenByA.view.state, seenByA.view.faults]).to.deep.equal(['ready', []])
    const answer = flagEditAnswerSchema.parse(
      await dataOf(await patch(a, { mode: 'direct_llm' }, seenByA.etag)),
    )
    expect(answer.inForce).to.equal(true)
    expect((await patch(b, { canaryPercent: 5 }, seenByB.etag)).status).to.equal(412)
    await until('the other replica', async () => (await modeOf(b)) === 'direct_llm')
    const next = await flagsOf(b)
    expect((await patch(b, { mode: 'runtime_orchestrator' }, next.etag)).status).to.equal(200)
    await until('the first replica', async () => (await modeOf(a)) === 'runtime_orchestrator')
  })

  it('follow an edit by hand in the store, and a trip and a reset by the API', async () => {
    const [a, b] = [replicas[0] ?? fail(), replicas[1] ?? fail()]
    for (const replica of [a, b])
      await until('the flags', async () => (await flagsOf(replica)).view.state === 'ready')
    const untilBoth = (mode: string) =>
      until(mode, async () => (await Promise.all(replicas.map(modeOf))).every((each) => each === mode))
    await engine.editMode('direct_llm')
    await untilBoth('direct_llm')
    await engine.editMode('runtime_orchestrator')
    await untilBoth('runtime_orchestrator')
    await new Operator(a.url, admin).trigger('drill')
    await untilBoth('direct_llm')
    const scopeAtB = async () => (await new Operator(b.url, admin).status()).manual.scope
    await until('the other replica to say so', async () => (await scopeAtB()) === 'all')
    await new Operator(b.url, admin).reset()
    await untilBoth('runtime_orchestrator')
    expect((await Promise.all(replicas.map(flagsOf))).map(({ view }) => view.faults)).to.deep.equal([[], []])
  })

  if (!isSource) return

  it('give their flags to a provider that gets them from one of them', async () => {
    const port = String(await freePort())
    const source = await start('source', { CHAT_FLAG_SOURCE_PORT: port })
    const asClient = await start('client', {
      FLAGD_RESOLVER: 'in-process',
      FLAGD_HOST: '127.0.0.1',
      FLAGD_PORT: port,
    })
    replicas.push(source, asClient)
    await until('the flags', async () => (await flagsOf(asClient)).view.state === 'ready')
    await new Operator(replicas[0]?.url ?? '', admin).trigger('drill')
    await until('the override', async () => (await modeOf(asClient)) === 'direct_llm')
    const status = () => new Operator(asClient.url, admin).status()
    await until('its proof', async () => (await status()).fallback.propagated)
  })
}

/** As `kubectl edit` does it: the annotation stays. */
function withMode(object: StoredObject, mode: string): void {
  const flagSpec = specSchema.parse(object.spec?.flagSpec)
  flagSpec.flags['chat-execution-mode'].defaultVariant = mode
  object.spec = { flagSpec }
}

function fail(): never {
  throw new Error('there are two replicas')
}

describe('replicas that share PostgreSQL as their flag store', function () {
  this.timeout(180_000)
  const databases = postgresDatabases()
  twoReplicas(
    async () => {
      const url = await databases.create()
      return {
        store: url,
        opsName: /^postgres:\/\/.*\/flag_documents\/ops$/,
        async overrideText() {
          const [row] = await databases.query(
            url,
            "SELECT content FROM flag_documents WHERE name = 'override'",
          )
          return String(row?.content)
        },
        async editMode(mode) {
          const [row] = await databases.query(url, "SELECT content FROM flag_documents WHERE name = 'ops'")
          const document = specSchema.parse(JSON.parse(String(row?.content)))
          document.flags['chat-execution-mode'].defaultVariant = mode
          const text = `${JSON.stringify(document)}\n`
          await databases.query(
            url,
            `UPDATE flag_documents SET content = $text$${text}$text$ WHERE name = 'ops'`,
          )
        },
      }
    },
    { isSource: true },
  )
})

describe('replicas that share Kubernetes as their flag store', function () {
  this.timeout(180_000)
  let api: KubernetesStandIn | undefined
  afterEach(() => api?.close())
  twoReplicas(
    async () => {
      const started = await startKubernetes()
      api = started
      return {
        store: `kubernetes:chat?server=${started.url}`,
        opsName: /^kubernetes:chat\/featureflags\/chat-cutover-flags$/,
        async overrideText() {
          const object = started.get(FEATURE_FLAGS, 'chat-cutover-fallback')
          return String(object?.metadata.annotations?.['chat-cutover/text'])
        },
        async editMode(mode) {
          started.edit(FEATURE_FLAGS, 'chat-cutover-flags', (object) => withMode(object, mode))
        },
      }
    },
    { isSource: false },
  )
})

describe('replicas that share a real cluster as their flag store', function () {
  this.timeout(180_000)
  const cluster = kubernetesCluster()
  twoReplicas(
    async () => {
      await cluster().clear()
      return {
        store: `kubernetes:${cluster().namespace}?server=${cluster().url}`,
        opsName: /^kubernetes:[\w-]+\/featureflags\/chat-cutover-flags$/,
        async overrideText() {
          const object = await cluster().get(FEATURE_FLAGS, 'chat-cutover-fallback')
          return String(object?.metadata.annotations?.['chat-cutover/text'])
        },
        editMode: (mode) =>
          cluster().edit(FEATURE_FLAGS, 'chat-cutover-flags', (object) => withMode(object, mode)),
      }
    },
    { isSource: false },
  )
})
