import type { BackendEvent } from '../../../src/execution/backend.js'
import { LlmAnswer } from '../../../src/execution/openai/llm-answer.js'
import { TransportError } from '../../../src/execution/transport-error.js'
import type { ByteSink } from '../../../src/execution/upstream/byte-source.js'
import { manualClock } from '../../support/manual-clock.js'

export const SSE = 'text/event-stream'
export const BROKEN = new TransportError('broken', true)
export const DONE = 'data: [DONE]\n\n'
export const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
export const text = (content: string, finish_reason: string | null = null): string =>
  data({ choices: [{ index: 0, delta: { content }, finish_reason }] })
export const usage = (total_tokens: number): string => data({ choices: [], usage: { total_tokens } })

/**
 * An answer whose reads, reader and clock the test drives; `told` is all that happened, in order. `hasRoom` is what the
 * reader does with each batch, `onEnd` what it does with the end.
 */
export function answer(
  contentType = SSE,
  hasRoom: () => boolean = () => true,
  onEnd: () => void = () => undefined,
) {
  const clock = manualClock()
  const told: string[] = []
  const failures: unknown[] = []
  let body: ByteSink | undefined
  const source = {
    contentType,
    contentEncoding: '',
    listen(sink: ByteSink) {
      body = sink
    },
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
    close: () => void told.push('close'),
  }
  const nameOf = (event: BackendEvent): string => {
    if (event.type === 'text') return event.data.content
    if (event.type === 'usage') return `usage ${event.data.tokens}`
    return event.type === 'facts' ? `facts ${event.data.finishReason}` : event.type
  }
  const running = new LlmAnswer(
    source,
    { onComplete: () => void told.push('complete') },
    clock,
    {},
    {
      batch(events) {
        told.push(events.map(nameOf).join('+'))
        return hasRoom()
      },
      end(failure) {
        const code = failure instanceof TransportError ? failure.fault : Reflect.get(Object(failure), 'code')
        told.push(failure === undefined ? 'end' : `end ${code ?? failure}`)
        failures.push(failure)
        onEnd()
      },
    },
  )
  running.start()
  return {
    told,
    failures,
    clock,
    running,
    reads: (...pieces: string[]) => {
      for (const piece of pieces) body?.data(Buffer.from(piece))
    },
    ends: (fault?: unknown) => body?.end(fault),
  }
}
