import type { MessageBody } from '../../protocol/events.js'

// Line ends to some readers (Python's `splitlines`, old JavaScript): raw, they would cut an event in two.
const LINE_ENDS = /[\u0085\u2028\u2029]/
const EACH_LINE_END = /[\u0085\u2028\u2029]/g

/** JSON text for one line of an event stream, the same for every reader. */
export function oneLine(json: string): string {
  return LINE_ENDS.test(json) ? json.replace(EACH_LINE_END, escaped) : json
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * Data of a `message` event as JSON, `{"id", "type", "data", "timestamp"}`. Hot path: one string built once;
 * `id` and `timestamp` are ours and need no escaping.
 */
export function messageJson(body: MessageBody, id: string, timestamp: string): string {
  // Nearly every event: a lone string is half the work of an object.
  if (body.type === 'text')
    return `{"id":"${id}","type":"text","data":{"content":${oneLine(JSON.stringify(body.data.content))}},"timestamp":"${timestamp}"}`
  return `{"id":"${id}","type":"${body.type}","data":${oneLine(JSON.stringify(body.data))},"timestamp":"${timestamp}"}`
}

/** ISO 8601 UTC; streams that write within one millisecond share the text, those of one second all but its end. */
export function createIsoTime(): (wallMs: number) => string {
  let second = Number.NaN
  let upToSecond = ''
  let lastMs = Number.NaN
  let lastText = ''
  return (wallMs) => {
    const ms = Math.trunc(wallMs)
    if (ms === lastMs) return lastText
    const now = Math.floor(ms / 1000)
    if (now !== second) {
      second = now
      upToSecond = new Date(now * 1000).toISOString().slice(0, -4)
    }
    lastMs = ms
    lastText = `${upToSecond}${String(ms - now * 1000).padStart(3, '0')}Z`
    return lastText
  }
}
