import type { TraceSpan } from './trace-span.js'

let measured: TraceSpan | undefined

/** Records something of that span, in one synchronous call: code that measures there finds it by `measuredSpan`. */
export function measuringIn<T>(span: TraceSpan | undefined, record: () => T): T {
  const before = measured
  measured = span
  try {
    return record()
  } finally {
    measured = before
  }
}

export const measuredSpan = (): TraceSpan | undefined => measured
