import type Router from '@koa/router'
import { same } from '../core/bilingual.js'
import type { LiveView, ReadyView } from '../protocol/api.js'
import type { AppDeps } from './app-deps.js'
import { answer } from './edge/answer.js'
import type { Sentence } from './edge/language.js'
import { Problem } from './edge/problems.js'
import type { Missing } from './readiness.js'

/** as clients ask for them; the first one where any would do */
const TEXT = 'text/plain; version=0.0.4'
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0'

/** Open to everyone who reaches the port: liveness, readiness, Prometheus. */
export function mountHealthRoutes(router: Router, { flags, lifecycle, metrics, overload }: AppDeps): void {
  router.get('/health/live', (ctx) => answer(ctx, { status: 'live' } satisfies LiveView))

  // Bad flags do not make a replica unready: turns go on with the last known good values.
  router.get('/health/ready', (ctx) => {
    const state = lifecycle.state()
    const { resolver, state: flagsState, faults } = flags.status()
    if (state === 'ready' && overload.level < 4)
      return answer(ctx, {
        status: 'ready',
        flags: { resolver, state: flagsState, faults: faults.length },
      } satisfies ReadyView)
    throw new Problem(unready(state), {
      headers: { 'Retry-After': '1' },
      details: [
        same(`flags: ${flagsState} (${resolver}), faults: ${faults.length}`),
        ...(state === 'starting' ? lifecycle.missing().map((what) => MISSING[what]) : []),
      ],
    })
  })

  router.get('/metrics', async (ctx) => {
    // The router takes /METRICS and /metrics/ too; a proxy that keeps this path inside does not know them.
    if (ctx.path !== '/metrics') throw new Problem('path_unknown')
    const { contentType, body } = await metrics.exposition(
      ctx.accepts(TEXT, OPENMETRICS) === OPENMETRICS ? 'openmetrics' : 'prometheus',
    )
    ctx.set('Cache-Control', 'no-store')
    ctx.vary('Accept')
    ctx.type = contentType
    ctx.body = body
  })
}

/** Ready but for an overload at its highest level: a balancer sends its turns elsewhere for a while. */
const unready = (state: ReturnType<AppDeps['lifecycle']['state']>) =>
  state === 'ready' ? 'overloaded' : state === 'leaving' ? 'draining' : state

const MISSING: Readonly<Record<Missing, Sentence>> = {
  'the flags': { 'zh-CN': '缺少：flag 的首次内容', en: 'missing: the flags' },
  'the signing keys': { 'zh-CN': '缺少：签名密钥（JWKS_URL）', en: 'missing: the signing keys (JWKS_URL)' },
  'the database': { 'zh-CN': '缺少：数据库', en: 'missing: the database' },
}
