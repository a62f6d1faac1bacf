import { unreachable } from '../../core/errors.js'
import type { ManualLayer } from '../../store/override/override.js'
import { type Json, readCoverage } from '../../store/override/override-flag.js'
import type { Command } from '../fallback.js'
import type { PendingCommand } from './state.js'
import type { StateUpdate } from './state-update.js'

/** commands kept for another try after a lost race; a reset or a trigger of all makes the earlier ones moot */
const MAX_COMMANDS = 100

/** A person's command: acts at once, stays remembered until it is in the store, and is told once. */
export function applyCommand(update: StateUpdate, pending: Omit<PendingCommand, 'version'>): void {
  const { command, at, told } = pending
  switch (command.kind) {
    case 'reset':
      reset(update, told ? {} : { what: 'reset', userId: command.userId })
      forgetCommands(update, () => true)
      remember(update, pending)
      return
    case 'trigger': {
      const { ttlSeconds, userId } = command
      const leftMs = (ttlSeconds ?? 0) * 1000 - (update.at.now - at)
      const until = ttlSeconds === undefined ? undefined : Math.round(update.at.wall + Math.max(0, leftMs))
      const manual = triggered(update.manual, command, until)
      update.change({ manual }, { actor: 'manual', ...(told ? {} : { what: 'triggered', userId }) })
      remember(update, pending)
      return
    }
    default:
      unreachable(command)
  }
}

/** Commands that are moot, for something later took their place: they are not tried again, and told now if they were not. */
export function forgetCommands(update: StateUpdate, isMoot: (command: Command) => boolean): void {
  const { commands, reports } = update.state
  const moot = new Set(commands.filter(({ command }) => isMoot(command)).map(({ version }) => version))
  for (const { version, transition } of reports)
    if (moot.has(version)) update.effects.push({ kind: 'report', transition })
  update.set({
    commands: commands.filter(({ version }) => !moot.has(version)),
    reports: reports.filter(({ version }) => !moot.has(version)),
  })
}

function remember(update: StateUpdate, pending: Omit<PendingCommand, 'version'>): void {
  const { commands, store } = update.state
  update.set({ commands: [...commands, { ...pending, version: store.version }].slice(-MAX_COMMANDS) })
}

/** Ends both layers, the hold, the trips, the evidence and the probe counts. */
export function reset(update: StateUpdate, told: { what?: 'hand_edit' | 'reset'; userId?: string }): void {
  update.change(
    { auto: { state: 'normal' }, manual: { scope: 'none' }, trips: 0, evidenceSince: update.at.wall },
    { ...told, actor: 'manual' },
  )
  update.set({ isolated: false, isolatedTo: null, wouldTrip: null, bothSick: false })
  update.holds = undefined
  update.resetHealth()
}

/**
 * The manual layer after a trigger. One for some orgs never narrows one that is there: under `all` it changes nothing,
 * orgs come on top of orgs, and the later end counts for them all.
 */
function triggered(
  present: ManualLayer,
  command: Extract<Command, { kind: 'trigger' }>,
  until: number | undefined,
): ManualLayer {
  const { reason, orgIds } = command
  const ends = (value: number | undefined) => (value === undefined ? {} : { until: value })
  if (orgIds === undefined) return { scope: 'all', reason, ...ends(until) }
  switch (present.scope) {
    case 'all':
      return present
    case 'none':
      return { scope: 'orgs', target: { kind: 'orgs', orgIds: unique(orgIds) }, reason, ...ends(until) }
    case 'orgs': {
      const later =
        until === undefined || present.until === undefined ? undefined : Math.max(until, present.until)
      const target =
        present.target.kind === 'orgs'
          ? { kind: 'orgs' as const, orgIds: unique([...present.target.orgIds, ...orgIds]) }
          : { ...present.target, rule: withOrgs(orgIds, present.target) }
      return { scope: 'orgs', target, reason, ...ends(later) }
    }
    default:
      return unreachable(present)
  }
}

/**
 * A person's own rule, with some orgs put before it. Where orgs stand before it already, these join them: the rule is in
 * the new one twice, and would double with every trigger.
 */
function withOrgs(
  orgIds: readonly string[],
  { rule, otherwise }: { rule: unknown; otherwise: 'on' | 'off' },
): unknown {
  const present = readCoverage(rule as Json)
  if (present?.target.kind === 'orgs')
    return forOrgs([...present.target.orgIds, ...orgIds], present.else === undefined ? [] : [present.else])
  return forOrgs(orgIds, [{ if: [{ '==': [rule, null] }, otherwise, rule] }])
}

const forOrgs = (orgIds: readonly string[], others: readonly unknown[]) => ({
  if: [{ in: [{ var: 'orgId' }, unique(orgIds)] }, 'on', ...others],
})

const unique = (values: readonly string[]): string[] => [...new Set(values)].sort()
