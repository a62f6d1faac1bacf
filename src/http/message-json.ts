import type { MessageBody } from '../protocol/events.js'

/**
 * Data of a `message` event as JSON, `{"id", "type", "data", "timestamp"}`. Hot path: one string built once;
 * `id` and `timestamp` are ours and need no escaping.
 */
export function messageJson(body: MessageBody, id: string, timestamp: string): string {
  // Nearly every event: a lone string is half the work of an object.
  if (body.type === 'text')
    return `{"id":"${id}","type":"text","data":{"content":${JSON.stringify(body.data.content)}},"timestamp":"${timestamp}"}`
  return `{"id":"${id}","type":"${body.type}","data":${JSON.stringify(body.data)},"timestamp":"${timestamp}"}`
}

/** ISO 8601 UTC; streams that write within one millisecond share the text. */
export function createIsoTime(): (wallMs: number) => string {
  let lastMs = Number.NaN
  let lastText = ''
  return (wallMs) => {
    const ms = Math.trunc(wallMs)
    if (ms !== lastMs) {
      lastMs = ms
      lastText = new Date(ms).toISOString()
    }
    return lastText
  }
}
