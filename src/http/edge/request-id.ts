import type { Context, Middleware } from 'koa'

export const REQUEST_ID = 'X-Request-ID'
/** visible ASCII only: the id goes into log lines and upstream headers */
const SANE = /^[\x21-\x7e]{1,128}$/

/** Takes a sane `X-Request-ID` or makes one, and echoes it on every answer. */
export function requestId(ids: { newId(): string }): Middleware {
  return ({ req, res }, next) => {
    const inbound = req.headers['x-request-id']
    res.setHeader(REQUEST_ID, saneId(typeof inbound === 'string' ? inbound : '', ids))
    return next()
  }
}

/** The client's id, or a new one where that is missing or no id. */
export function saneId(inbound: string, ids: { newId(): string }): string {
  return SANE.test(inbound) ? inbound : ids.newId()
}

export function requestIdOf(ctx: Context): string {
  return String(ctx.res.getHeader(REQUEST_ID) ?? '')
}
