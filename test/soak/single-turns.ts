import { readChunks } from '../support/openai.js'
import { call } from './call.js'
import type { Speaking } from './person-turns.js'

/** One turn by the OpenAI-compatible front, streamed or not. */
export async function singleTurn({ world, random, target, authorization }: Speaking): Promise<void> {
  const stream = random.chance(0.5)
  const called = await call(world, target, {
    method: 'POST',
    path: '/v1/chat/completions',
    authorization,
    body: { model: 'simulated', stream, messages: [{ role: 'user', content: 'one turn of its own end' }] },
    ...(random.chance(0.2) ? { leaving: { afterBytes: random.whole(1, 800) } } : {}),
  })
  world.count(`single turns: ${called.kind}${called.kind === 'answered' ? `, HTTP ${called.status}` : ''}`)
  if (called.kind === 'broken') world.fault(`a single turn broke: ${called.why}`)
  if (called.kind !== 'answered' || called.status !== 200 || !stream) return
  const { done, error, finishReasons } = readChunks(called.body)
  // One end: either it says why it finished, or there is an error; [DONE] comes last.
  const ends = finishReasons.length + (error === undefined ? 0 : 1)
  if (ends !== 1 || (error === undefined && !done))
    world.fault(`a single turn has ${ends} ends, ${done ? 'and' : 'no'} [DONE]`)
}
