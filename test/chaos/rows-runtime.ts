import { setTimeout as sleep } from 'node:timers/promises'
import type { Faults } from './actors.js'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'

/** What can be wrong with the runtime. */

const STAGE = { replicas: 2, perSecond: 50, guardrails: DRILL } as const
/** ms that it stays unhealthy once the fallback is there */
const SICK_MS = 1500

const FLAP_MS = 3000
const FLAPS = 10

/** Sick until the fallback is in the file and for a while longer; an operator saves a remark meanwhile. */
function sickness(
  name: string,
  begin: (stage: Stage) => Promise<void> | void,
  end: (stage: Stage) => Promise<void> | void,
  guardrails: object = {},
): Row {
  return {
    name,
    stage: { ...STAGE, guardrails: { ...DRILL, ...guardrails } },
    async drill(stage) {
      const since = performance.now()
      await begin(stage)
      const { at } = await stage.fileIs('fallback', since)
      const cause = stage.watch.last?.auto
      stage.human.remark()
      await sleep(SICK_MS)
      await end(stage)
      const why = cause?.state === 'fallback' ? cause.trip.cause : 'gone already'
      return [`override after ${Math.round(at - since)} ms (${why})`]
    },
  }
}

const faulty = (name: string, faults: Faults, guardrails: object = {}): Row =>
  sickness(
    name,
    ({ runtime }) => runtime.set(faults),
    ({ runtime }) => runtime.set({}),
    guardrails,
  )

const killed = sickness(
  'killed (SIGKILL), started again on its port',
  ({ runtime }) => void runtime.kill(),
  ({ runtime }) => runtime.restart(),
)

const frozen = sickness(
  'hung (SIGSTOP)',
  ({ runtime }) => runtime.freeze(),
  ({ runtime }) => runtime.thaw(),
)

const flapping: Row = {
  name: `flapping: killed and started every ${FLAP_MS / 1000} s for a minute`,
  stage: STAGE,
  async drill(stage) {
    const since = performance.now()
    for (let flap = 0; flap < FLAPS; flap += 1) {
      stage.runtime.kill()
      stage.human.remark()
      await sleep(FLAP_MS)
      await stage.runtime.restart()
      await sleep(FLAP_MS)
    }
    await stage.fileIs('fallback', since)
    const history = (await stage.replicas[0]?.operator.history()) ?? []
    const of = (kind: string) => history.filter((one) => one.kind === kind).length
    return [`${FLAPS} outages: ${of('trip')} trips, ${of('relapse')} relapses`]
  },
}

/** s in which nothing may trip */
const GREY_SECONDS = 15

const oneDeadOfTen: Row = {
  name: 'one instance of ten behind a balancer answers 503, guardrails as shipped',
  stage: { replicas: 2, perSecond: 50, guardrails: {}, proxied: true },
  async drill({ proxy, watch, traffic, replicas }) {
    const since = performance.now()
    proxy.loseOneOf(10)
    await sleep(GREY_SECONDS * 1000)
    watch.look()
    const trip = watch.first(since, ({ auto }) => auto.state !== 'normal')
    proxy.restore()
    if (trip !== undefined) throw new Error(`it tripped after ${Math.round(trip.at - since)} ms`)
    const turns = traffic.ended.filter(({ startedAt, replica }) => startedAt >= since && replica === 'a')
    const sent = turns.filter(({ decided }) => decided === 'runtime_orchestrator').length
    const history = (await replicas[0]?.operator.history()) ?? []
    if (history.length > 0) throw new Error(`${history.length} transitions`)
    return [`no trip in ${GREY_SECONDS} s; ${sent} of ${turns.length} turns decided for the runtime`]
  },
}

/** One org's executions fail, whose turns are most of all; everybody else's are well. */
const oneOrg = (name: string, guardrails: { readonly scoped?: boolean }): Row => ({
  name,
  stage: { replicas: 2, perSecond: 20, guardrails: { ...DRILL, ...guardrails }, mainOrgShare: 0.6 },
  async drill(stage) {
    const since = performance.now()
    await stage.runtime.set({ status: 422, onlyOrgs: ['org-0'] })
    const { at } = await stage.fileIs('fallback', since)
    const auto = stage.watch.last?.auto
    const scope = auto?.state === 'fallback' ? auto.scope : undefined
    await sleep(ONE_ORG_MS)
    const turns = stage.traffic.ended.filter(({ startedAt }) => startedAt >= at)
    const spared = turns.filter(({ org }) => org !== 'org-0')
    const onRuntime = spared.filter(({ decided }) => decided === 'runtime_orchestrator').length
    await stage.runtime.set({})
    const isSpared = scope?.ids.join() === 'org-0' && onRuntime === spared.length
    if (isSpared === (guardrails.scoped === false))
      throw new Error(`${onRuntime} of ${spared.length} others spared`)
    return [
      `override after ${Math.round(at - since)} ms, ${scope === undefined ? 'for everybody' : `for ${scope.ids.join()} alone`}`,
      `${onRuntime} of ${spared.length} turns of the other orgs decided for the runtime`,
    ]
  },
})

/** ms of the fallback in which everybody else's turns are counted */
const ONE_ORG_MS = 5000

/** ms that both are dead, and for the next good probe afterwards */
const BOTH_DEAD_MS = 1000
const PROBE_MS = 1000

const standbyRefuses: Row = {
  name: 'broken for 1 s while the direct LLM answers 401',
  stage: STAGE,
  // The direct LLM is judged by its newest minute, and nobody uses it any more.
  patienceMs: 90_000,
  endsHolds: true,
  async drill(stage) {
    const { llm, runtime, traffic } = stage
    const since = performance.now()
    await llm.set({ status: 401 })
    await runtime.set({ refuse: true })
    await sleep(BOTH_DEAD_MS)
    await runtime.set({})
    stage.excusedUntil = performance.now() + PROBE_MS
    await sleep(SICK_MS + PROBE_MS)
    const alerts = (await stage.replicas[0]?.operator.status())?.alerts ?? []
    await llm.set({})
    const failed = traffic.ended.filter(({ startedAt, kind }) => startedAt > since && kind !== 'ok')
    const after = failed.filter(({ startedAt }) => startedAt > stage.excusedUntil)
    const back = traffic.ended.filter(({ reason, failover }) => reason === 'fallback' && failover)
    return [
      `${failed.length} turns failed while both were dead, ${after.length} afterwards`,
      `${back.length} answered by the runtime in place of the direct LLM`,
      alerts.length === 0 ? 'no alert' : 'alerted',
    ]
  },
}

export const RUNTIME_ROWS: readonly Row[] = [
  flapping,
  killed,
  frozen,
  oneDeadOfTen,
  oneOrg('one org of ten, with 60% of the turns, gets HTTP 422', {}),
  oneOrg('the same org, guardrail scoped false', { scoped: false }),
  standbyRefuses,
  faulty('hung: takes requests, never answers, says it is healthy', { hang: 'headers' }),
  faulty('slow: 2 s an answer', { gapMs: 500 }, { latencyShare: 0.1 }),
  faulty('returning garbage', { garbage: true }),
  faulty('refusing: every connection reset', { refuse: true }),
  faulty('answering HTTP 500', { status: 500 }),
  faulty('failing in disguise: the error as an answer', { softFailure: true }),
  faulty('breaking off in mid-answer', { dropAfterEvents: 4 }),
]
