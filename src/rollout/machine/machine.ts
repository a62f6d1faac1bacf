import { unreachable } from '../../core/errors.js'
import { observeLease, writtenLease } from '../../fallback/machine/lease.js'
import { retryMs } from '../../fallback/machine/timers.js'
import { applyCommand } from './command.js'
import { leaseMove } from './lease.js'
import { move } from './moves.js'
import { observeStore, written } from './observe-store.js'
import type { RolloutInput, RolloutState, RolloutStep } from './state.js'
import { StateUpdate } from './state-update.js'

type Tick = Extract<RolloutInput, { kind: 'tick' }>

/** ms a person's start or resumption waits for the store: by then the person who asked was told that it was not written */
const COMMAND_MS = 2000

/** The rollout of one replica: pure. The rules are told in docs/rollout.md. */
export function next(state: RolloutState, input: RolloutInput): RolloutStep {
  switch (input.kind) {
    case 'tick':
      return tick(state, input)
    case 'command': {
      const update = new StateUpdate(state, input)
      applyCommand(update, input.command, input.opsMode)
      return update.step
    }
    case 'written': {
      const update = new StateUpdate(state, input)
      written(update, input)
      return update.step
    }
    case 'write_failed':
      return writeFailed(state, input)
    case 'lease_written':
      return { state: { ...state, lease: writtenLease(state, input) }, effects: [] }
    default:
      return unreachable(input)
  }
}

function tick(state: RolloutState, input: Tick): RolloutStep {
  const update = new StateUpdate(state, input, input.evidence)
  const { refused } = state
  if (refused !== null && input.now >= refused.untilAt) update.set({ refused: null })
  observeStore(update, input.store, input.opsMode)
  forgetProposal(update)
  observeProvider(update, input)
  update.set({ lease: observeLease(update.state.lease, input.lease, input.now) })
  move(update, input)
  write(update)
  if (input.store.kind !== 'failed') holdLease(update, input)
  return update.step
}

/** Towards the runtime nothing waits: it is in the store by now, or it is judged anew; a person's word waits a little. */
function forgetProposal(update: StateUpdate): void {
  const { pending } = update.state
  if (pending === null || pending.acts === 'now') return
  if (pending.by === 'loop' || update.at.now - pending.at >= COMMAND_MS) update.dropProposal()
}

function observeProvider(update: StateUpdate, { provided }: Tick): void {
  if (provided !== update.state.provided) update.set({ provided })
  if (provided > update.state.highest) update.set({ highest: provided })
  const { pending, highest } = update.state
  if (pending !== null && pending.after.revision <= highest) update.renumber()
}

/** Compare-and-set on the bytes read last. Where the file is away or no document, the fallback writes it first. */
function write(update: StateUpdate): void {
  const { pending, file } = update.state
  if (pending === null || !file.isGood || file.seen === null || file.seen === 'missing') return
  if (update.at.now < file.retryAt) return
  const { after, version } = pending
  update.effects.push({ kind: 'write', rollout: after, version, expected: file.seen })
}

function holdLease(update: StateUpdate, input: Tick): void {
  const lease = leaseMove(update.state, input)
  if (lease === undefined) return
  update.effects.push({ kind: 'write_lease', lease })
  update.set({ lease: { ...update.state.lease, askedAt: input.now } })
}

/** What acts already is tried again with back-off, and told; what does not is dropped. */
function writeFailed(
  state: RolloutState,
  input: Extract<RolloutInput, { kind: 'write_failed' }>,
): RolloutStep {
  const update = new StateUpdate(state, input)
  const attempts = state.file.attempts + 1
  update.setFile({ attempts, fault: input.fault, retryAt: input.now + retryMs(attempts, input.jitter) })
  const { pending } = update.state
  if (pending === null) return update.step
  if (pending.acts === 'when_written') {
    // Of the loop's own it is seen at the next tick whether it got there all the same.
    if (pending.by === 'person') update.dropProposal()
    return update.step
  }
  for (const { change } of pending.reports) update.effects.push({ kind: 'report', change })
  update.set({ pending: { ...pending, reports: [] } })
  return update.step
}
