/** The package ships no types; this is the part of its stream that sse-stream.ts uses. */
declare module 'koa-sse-stream/lib/sse.js' {
  import type { Transform } from 'node:stream'
  import type { Context } from 'koa'

  export interface SseEvent {
    readonly event: string
    /** 0 would be dropped */
    readonly id?: number
    /** a JSON text: an object would become `[object Object]`, a leading `:` a comment */
    readonly data: string
  }

  export default class SseTransform extends Transform {
    constructor(ctx: Context)
    override write(event: SseEvent): boolean
    sendEnd(event: SseEvent): void
  }
}
