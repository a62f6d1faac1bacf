import type { FallbackStatus, WindowMetrics } from '../../protocol/fallback.js'
import { judgeReplicas } from '../../protocol/instant.js'
import type { Invocation } from '../command/invocation.js'
import { duration, moment, percent, span } from '../text/format.js'
import { printable, table } from '../text/table.js'

type Looks = Pick<Invocation, 't' | 'style' | 'clock'>

/** The state of the fallback as a few lines, for `status` and `watch`. */
export function fallbackLines(status: FallbackStatus, { t, style, clock }: Looks): string[][] {
  const { fallback, manual, probe, lease } = status
  const rows: string[][] = [
    [t('Fallback', '回退'), headline(status, { t, style })],
    ...(status.fallbackReason === '' ? [] : [[t('Why', '原因'), printable(status.fallbackReason)]]),
  ]
  if (fallback.since !== null)
    rows.push([t('Since', '开始于'), since(fallback.since, fallback.holdUntil, { t, clock })])
  if (fallback.scope !== null && fallback.scope !== 'all')
    rows.push([t('Only for', '仅限'), `${fallback.scope}: ${printable(fallback.scopeIds.join(', '))}`])
  if (manual.scope !== 'none') {
    const whom = manual.scope === 'all' ? t('everybody', '全部') : printable(manual.orgIds.join(', '))
    const until =
      manual.until === null
        ? t('until a reset', '直到重置')
        : t(`until ${moment(manual.until)}`, `至 ${moment(manual.until)}`)
    rows.push([t('By hand', '手动'), `${whom}, ${until}`])
  }
  if (status.fallbackEnabled && !(fallback.persisted && fallback.propagated))
    rows.push([
      t('Override', '覆盖'),
      style.warning(
        fallback.persisted
          ? t('stored, not yet seen through the flags', '已写入，尚未经 flag 生效')
          : t('not yet stored', '尚未写入'),
      ),
    ])
  rows.push([t('Policy', '策略'), status.policy === 'auto' ? 'auto' : style.warning(status.policy)])
  if (status.wouldTrip !== '')
    rows.push([t('Would trip', '本应回退'), style.warning(printable(status.wouldTrip))])
  rows.push([t('Probe', '健康检查'), probeText(probe, { t, style })])
  if (status.fallbackEnabled)
    rows.push([t('Lease', '租约'), lease.holder === null ? t('nobody', '无') : printable(lease.holder)])
  if (status.isolated)
    rows.push([
      t('Isolated', '隔离'),
      style.warning(t('this replica alone stays with the direct LLM', '仅本副本停留在直连 LLM')),
    ])
  for (const alert of status.alerts) rows.push([style.bad(t('Alert', '告警')), printable(alert)])
  return rows
}

/** The replicas that share the database, a line each. */
export function replicaLines(
  { replica: own, replicas }: Pick<FallbackStatus, 'replica' | 'replicas'>,
  { t, style }: Pick<Looks, 't' | 'style'>,
): string[][] {
  return judgeReplicas(replicas).flatMap(({ name, version, state, lastSeen, isSilent, isGone }) => {
    if (isGone) return []
    const told =
      state === 'stopped'
        ? style.dim(t(`stopped at ${moment(lastSeen)}`, `已于 ${moment(lastSeen)} 停止`))
        : isSilent
          ? style.bad(t(`silent since ${moment(lastSeen)}`, `自 ${moment(lastSeen)} 起无响应`))
          : state === 'ready'
            ? style.good(t('ready', '就绪'))
            : style.warning(state === 'starting' ? t('starting', '启动中') : t('ending', '正在结束'))
    const here = name === own ? t(' (answers this)', '（本次应答）') : ''
    return [[t('Replica', '副本'), `${printable(name)}${here}, ${printable(version)}, ${told}`]]
  })
}

function headline(
  { fallbackEnabled, fallback: { state, recoveringPercent, trips } }: FallbackStatus,
  { t, style }: Pick<Looks, 't' | 'style'>,
): string {
  if (!fallbackEnabled) return style.good(t('none', '无'))
  const often = trips > 1 ? t(` (trip ${trips} in a row)`, `（连续第 ${trips} 次）`) : ''
  switch (state) {
    case 'normal':
      return style.bad(t('by hand: on the direct LLM', '手动：使用直连 LLM'))
    case 'fallback':
      return style.bad(t('on: the direct LLM answers', '生效中：由直连 LLM 回答')) + often
    case 'recovering':
      return style.warning(
        t(
          `recovering: ${recoveringPercent ?? 0}% of the sessions are back on the runtime`,
          `恢复中：${recoveringPercent ?? 0}% 的会话已回到 runtime`,
        ),
      )
  }
}

function since(at: string, holdUntil: string | null, { t, clock }: Pick<Looks, 't' | 'clock'>): string {
  const passed = span(clock.wall() - Date.parse(at))
  const text = t(`${moment(at)} (${passed})`, `${moment(at)}（${passed}）`)
  if (holdUntil === null) return text
  const left = Date.parse(holdUntil) - clock.wall()
  if (left <= 0) return text
  return text + t(`, recovery in ${span(left)} at the earliest`, `，最早 ${span(left)} 后开始恢复`)
}

function probeText(
  { healthy, failures }: FallbackStatus['probe'],
  { t, style }: Pick<Looks, 't' | 'style'>,
): string {
  if (healthy === null) return style.dim(t('not yet', '尚无结果'))
  if (healthy && failures === 0) return style.good(t('the runtime is healthy', 'runtime 正常'))
  const text = t(`${failures} failed probes in a row`, `连续失败 ${failures} 次`)
  return healthy ? style.warning(text) : style.bad(text)
}

/** Both modes side by side, over the last five minutes. */
export function metricsTable(
  { direct, runtime }: { readonly direct: WindowMetrics; readonly runtime: WindowMetrics },
  { t, style }: Pick<Looks, 't' | 'style'>,
  indent = '',
): string {
  const row = (name: string, text: (metrics: WindowMetrics) => string): string[] => [
    name,
    text(direct),
    text(runtime),
  ]
  const measured = (text: (metrics: WindowMetrics) => string) => (metrics: WindowMetrics) =>
    metrics.total === 0 ? '-' : text(metrics)
  const rate = (value: (metrics: WindowMetrics) => number) =>
    measured((metrics) => (value(metrics) > 0 ? style.bad(percent(value(metrics))) : percent(0)))
  return table(
    [
      ['', t('direct LLM', '直连 LLM'), 'runtime'].map(style.bold),
      row(t('Executions', '执行次数'), ({ total }) => String(total)),
      row(
        t('Error rate', '错误率'),
        rate(({ errorRate }) => errorRate),
      ),
      row(
        t('Timeout rate', '超时率'),
        rate(({ timeoutRate }) => timeoutRate),
      ),
      row(
        t('Mean latency', '平均延迟'),
        measured(({ avgLatencyMs }) => duration(avgLatencyMs)),
      ),
      row(
        'P50 / P95 / P99',
        measured(({ p50LatencyMs, p95LatencyMs, p99LatencyMs }) =>
          [p50LatencyMs, p95LatencyMs, p99LatencyMs].map(duration).join(' / '),
        ),
      ),
      row(
        t('First content, P95', '首内容 P95'),
        // 0: no execution got as far as that.
        ({ p95FirstContentMs }) => (p95FirstContentMs === 0 ? '-' : duration(p95FirstContentMs)),
      ),
      row(t('Aborted / abandoned', '中止 / 离开'), ({ aborted, abandoned }) => `${aborted} / ${abandoned}`),
      row(t('Rejected', '被拒绝'), ({ rejected }) => String(rejected)),
    ],
    indent,
  )
}
