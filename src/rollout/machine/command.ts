import { unreachable } from '../../core/errors.js'
import { planOf, type RolloutProgress } from '../../store/rollout/rollout.js'
import type { OpsMode, RolloutCommand } from '../rollout.js'
import type { StateUpdate } from './state-update.js'

/** Whether a command can do anything now: the same words for the machine and for the caller that refuses it. */
export function isPossible(kind: RolloutCommand['kind'], { state }: RolloutProgress): boolean {
  switch (kind) {
    case 'start':
      return state === 'none' || state === 'ended'
    case 'pause':
      return state === 'running'
    case 'resume':
      return state === 'paused'
    case 'abort':
      return state === 'running' || state === 'paused' || state === 'finished'
    case 'flags_edited':
      return true
    default:
      return unreachable(kind)
  }
}

/** A rule of the operators' flag decides for everybody: a rollout would do nothing. */
export const isMoot = (mode: OpsMode): boolean => mode === 'runtime' || mode === 'targeting'

/** A person's command. What is not possible (any more) changes nothing. */
export function applyCommand(update: StateUpdate, command: RolloutCommand, opsMode: OpsMode): void {
  const { pending } = update.state
  // A person decides upon what is in force, not upon what the loop has only proposed.
  if (pending?.by === 'loop' && pending.acts === 'when_written') update.dropProposal()
  const { progress } = update.base
  if (!isPossible(command.kind, progress)) return
  const { userId } = command
  const since = Math.round(update.at.wall)
  switch (command.kind) {
    case 'start': {
      if (isMoot(opsMode)) return
      const { plan, reason } = command
      update.set({ editor: null })
      update.decide(
        { state: 'running', plan, stage: 0, since },
        { kind: 'started', ...byPerson(command), reason, acts: 'when_written', newEvidence: true },
      )
      return
    }
    case 'pause': {
      if (progress.state !== 'running') return
      const { reason } = command
      update.decide(
        { ...progress, state: 'paused', since, reason },
        { kind: 'paused', ...byPerson(command), reason, acts: 'now' },
      )
      return
    }
    case 'resume': {
      if (progress.state !== 'paused') return
      const { reason: _, ...stage } = progress
      update.decide(
        { ...stage, state: 'running', since },
        {
          kind: 'resumed',
          ...byPerson(command),
          reason: command.reason,
          acts: 'when_written',
          newEvidence: true,
        },
      )
      return
    }
    case 'abort': {
      const plan = planOf(progress)
      if (plan === undefined) return
      const { reason } = command
      update.decide(
        { state: 'ended', plan, how: 'aborted', since, reason },
        { kind: 'aborted', ...byPerson(command), reason, acts: 'now' },
      )
      return
    }
    case 'flags_edited':
      update.set({ editor: { userId, at: update.at.now } })
      return
    default:
      unreachable(command)
  }
}

const byPerson = (command: RolloutCommand) =>
  ({ actor: 'manual', by: 'person', userId: command.userId, command }) as const
