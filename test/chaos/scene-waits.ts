import { errorText } from '../../src/core/errors.js'
import type { Override } from '../../src/store/override/override.js'
import type { OverrideSights, Sight } from './override-watch.js'
import type { Replica } from './replica.js'
import type { Traffic } from './traffic.js'
import { waitFor } from './wait-for.js'

/** good answers before anything is broken */
const BASELINE_TURNS = 20

/** Nothing of a scene is left where it does not begin. */
export async function beginOrClose<S extends { close(): Promise<void> }>(
  scene: S,
  begin: () => Promise<void>,
): Promise<S> {
  try {
    await begin()
    return scene
  } catch (thrown) {
    await scene.close()
    throw thrown
  }
}

export function named(replicas: readonly Replica[], name: string | undefined): Replica {
  const found = replicas.find((replica) => replica.name === name)
  if (found === undefined) throw new Error(`no replica ${name}`)
  return found
}

export async function firstAnswers(traffic: Traffic): Promise<void> {
  await waitFor('the first answers of the runtime', () => {
    const good = traffic.ended.filter(({ decided }) => decided === 'runtime_orchestrator').length
    return good >= BASELINE_TURNS ? '' : `${good} of ${BASELINE_TURNS}: ${traffic.ended[0]?.detail}`
  })
}

/** The first sight since then (ms, `performance.now()`) whose override is so. */
export async function sightOf(
  what: string,
  watch: Pick<OverrideSights, 'first' | 'last'>,
  since: number,
  holds: (override: Override) => boolean,
  look: () => void = () => {},
): Promise<Sight> {
  let sight: Sight | undefined
  await waitFor(`the override to say ${what}`, () => {
    look()
    sight = watch.first(since, holds)
    return sight === undefined ? `it says ${describe(watch.last)}` : ''
  })
  if (sight === undefined) throw new Error(what)
  return sight
}

/** What this override and the running replicas say that is not as in quiet times; `""` where nothing. */
export async function disagreement(
  override: Override | undefined,
  replicas: readonly Replica[],
): Promise<string> {
  if (override === undefined || override.auto.state !== 'normal' || override.manual.scope !== 'none')
    return `the override says ${describe(override)}`
  const running = replicas.filter(({ isRunning }) => isRunning)
  const said = await Promise.all(running.map((replica) => disagreementOf(replica, override)))
  return said.filter((text) => text !== '').join('; ')
}

/** What one replica says that is not as in quiet times under this override; `""` where nothing. */
async function disagreementOf({ name, operator }: Replica, override: Override): Promise<string> {
  try {
    const { fallback, manual, probe, isolated, alerts } = await operator.status()
    const { state, revision, persisted, propagated } = fallback
    const isWell = state === 'normal' && manual.scope === 'none' && probe.healthy === true && !isolated
    // A refused edit is told for five minutes, however well everything is.
    const isQuiet = alerts.every((alert) => isRefusedEdit(alert) || isHeldUp(alert))
    if (isWell && persisted && propagated && revision === override.revision && isQuiet) return ''
    return `${name} says ${JSON.stringify({ state, manual: manual.scope, healthy: probe.healthy, isolated, persisted, propagated, revision, override: override.revision, alerts })}`
  } catch (thrown) {
    return `${name} does not answer: ${errorText(thrown)}`
  }
}

const describe = (override: Override | undefined): string =>
  override === undefined
    ? 'nothing of ours'
    : `${override.auto.state}, manual ${override.manual.scope}, revision ${override.revision}`

/** The machine of the drills has no time to spare: nothing that a drill broke. */
const isHeldUp = (alert: string): boolean => alert.includes('(held_up)')

/** The alert about an edit by hand that was refused, in either language. */
export function isRefusedEdit(alert: string): boolean {
  return /refused|被拒绝/.test(alert)
}
