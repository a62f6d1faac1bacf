/** The package ships no types; this is the part of its stream that sse-stream.ts uses. */
declare module 'koa-sse-stream/lib/sse.js' {
  import type { IncomingMessage } from 'node:http'
  import type { Transform } from 'node:stream'

  export interface SseEvent {
    readonly event: string
    /** 0 would be dropped */
    readonly id?: number
    /** a JSON text: an object would become `[object Object]`, a leading `:` a comment */
    readonly data: string
  }

  /** What it uses of Koa's context. */
  export interface SseContext {
    readonly req: IncomingMessage
    set(fields: Record<string, string>): void
    /** flushed after each event where it can be (a compressing body) */
    readonly body: undefined
  }

  export default class SseTransform extends Transform {
    constructor(ctx: SseContext)
    override write(event: SseEvent): boolean
    sendEnd(event: SseEvent): void
  }
}
