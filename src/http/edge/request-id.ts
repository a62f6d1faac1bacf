import type { Context, Middleware } from 'koa'

const HEADER = 'X-Request-ID'
/** visible ASCII only: the id goes into log lines and upstream headers */
const SANE = /^[\x21-\x7e]{1,128}$/

/** Takes a sane `X-Request-ID` or makes one, and echoes it on every answer. */
export function requestId(ids: { newId(): string }): Middleware {
  return (ctx, next) => {
    const inbound = ctx.get(HEADER)
    ctx.set(HEADER, SANE.test(inbound) ? inbound : ids.newId())
    return next()
  }
}

export function requestIdOf(ctx: Context): string {
  return ctx.response.get(HEADER)
}
