import { explanationSchema } from '../../protocol/api.js'
import { fallbackStatusSchema } from '../../protocol/fallback.js'
import { type CommandSpec, collected, type Invocation, wholeNumber } from '../command/invocation.js'
import { checkedUrl } from '../service/connection.js'
import type { ServiceClient } from '../service/service-client.js'
import { CommandError, type ExitCode, Interrupted, Refused } from '../text/command-error.js'
import { duration } from '../text/format.js'
import { oneLine, printable, table } from '../text/table.js'
import { LOOK_MS, look, type Seen } from './drill-look.js'

const RESET_TRIES = 3
const DEFAULT_TTL_SECONDS = 60
const DEFAULT_WAIT_SECONDS = 20

export const drillCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option(
        '--replica <url>',
        t(
          'a replica to look at; may be repeated (the one that is asked)',
          '要观察的副本，可重复（默认为所连接的副本）',
        ),
        collected,
      )
      .option('--org <id>', t('this org alone falls back (everybody)', '仅此组织回退（默认全部）'))
      .option(
        '--ttl <seconds>',
        t('the fallback ends by itself after this time (60)', '回退到时自动结束（60）'),
        wholeNumber(2, 3600, t),
      )
      .option(
        '--wait <seconds>',
        t('for decisions to flip, each way (20)', '等待决策切换的时限，往返各计（20）'),
        wholeNumber(1, 600, t),
      )
      .option('--force', t('also while there is a fallback or an alert', '即使已有回退或告警也执行')),
  examples: [
    'drill --org acme',
    'drill --replica http://10.0.0.1:3001 --replica http://10.0.0.2:3001',
    'drill --json | jq .replicas',
  ],
  exits: {
    en: 'Exit code: 0 every replica flipped and came back in time; 1 one did not, or the service is not there or refuses; 2 wrong usage; 130 ended by Ctrl-C (it is reset first).',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 各副本均按时切换并恢复；1 有副本未按时完成，或服务不可达、拒绝；2 用法错误；130 被 Ctrl-C 中断（会先重置）。',
  },
  remote: true,
  run: drill,
}

async function drill(invocation: Invocation): Promise<ExitCode> {
  const { given, t } = invocation
  const ttlSeconds = given.number('ttl') ?? DEFAULT_TTL_SECONDS
  const waitMs = (given.number('wait') ?? DEFAULT_WAIT_SECONDS) * 1000
  if (waitMs >= ttlSeconds * 1000)
    throw new CommandError(
      t(
        '--wait must be shorter than --ttl: else the fallback ends before all was seen',
        '--wait 必须短于 --ttl，否则尚未观察完回退就已结束',
      ),
      2,
    )
  const client = invocation.client()
  const replicas = replicasOf(client, invocation)
  await refuseUnlessQuiet(client, invocation)
  await Promise.all(replicas.map((replica) => refuseUnlessThere(replica, invocation)))
  const interrupted = invocation.interrupted()
  try {
    await flip(client, ttlSeconds, replicas, waitMs, invocation)
  } catch (thrown) {
    // A refusal says that nothing was triggered; of a lost answer nobody knows.
    if (thrown instanceof Refused) throw thrown
    await resetSurely(invocation)
    throw thrown
  }
  const resetAt = invocation.clock.monotonic()
  const reset = await resetSurely(invocation)
  if (interrupted.aborted) throw new Interrupted()
  if (reset)
    await look(replicas, waitMs, invocation, interrupted, (replica, isFlipped) => {
      if (!isFlipped) replica.backMs ??= invocation.clock.monotonic() - resetAt
      return replica.backMs !== null
    })
  return told(replicas, reset, invocation)
}

function replicasOf(client: ServiceClient, invocation: Invocation): Seen[] {
  const { given, t } = invocation
  const named = given.list('replica').map((url) => checkedUrl(url, '--replica', t))
  const urls = named.length === 0 ? [client.connection.url] : [...new Set(named)]
  return urls.map((url) => ({
    url,
    // A replica that is named is asked with the same token.
    client: invocation.client({
      connection:
        named.length === 0 ? client.connection : { ...client.connection, url, urlFrom: '--replica' },
      deadlineMs: LOOK_MS,
    }),
    flippedMs: null,
    backMs: null,
    fault: '',
  }))
}

/** A drill ends by a reset, which would end a real fallback too. @throws CommandError 1 */
async function refuseUnlessQuiet(client: ServiceClient, { given, t }: Invocation): Promise<void> {
  const { data } = await client.ask({ path: '/runtime/fallback/status' }, fallbackStatusSchema)
  if (given.is('force')) return
  if (data.fallbackEnabled)
    throw new CommandError(
      t(
        `There is a fallback already: ${printable(data.fallbackReason)}. A drill would end it. Wait, or use --force`,
        `已存在回退：${printable(data.fallbackReason)}。演练会将其结束，请等待，或使用 --force`,
      ),
      1,
    )
  const [alert] = data.alerts
  if (alert !== undefined)
    throw new CommandError(
      t(
        `There is an alert: ${printable(alert)}. Look at it first, or use --force`,
        `存在告警：${printable(alert)}。请先处理，或使用 --force`,
      ),
      1,
    )
}

/** A replica that cannot be asked would only be found missing in the middle of the drill. */
async function refuseUnlessThere(replica: Seen, { given }: Invocation): Promise<void> {
  if (given.is('force')) return
  await replica.client.ask({ path: '/runtime/explain' }, explanationSchema)
}

async function flip(
  client: ServiceClient,
  ttlSeconds: number,
  replicas: readonly Seen[],
  waitMs: number,
  invocation: Invocation,
): Promise<void> {
  const { clock, given } = invocation
  const org = given.text('org')
  const startedAt = clock.monotonic()
  const body = { reason: 'drill', ttlSeconds, ...(org === undefined ? {} : { orgIds: [org] }) }
  const refused = new AbortController()
  const looking = look(replicas, waitMs, invocation, refused.signal, (replica, isFlipped) => {
    if (isFlipped) replica.flippedMs ??= clock.monotonic() - startedAt
    return replica.flippedMs !== null
  })
  try {
    await client.ask({ method: 'POST', path: '/runtime/fallback/trigger', body }, fallbackStatusSchema)
  } catch (thrown) {
    refused.abort()
    throw thrown
  } finally {
    await looking
  }
}

/** Takes the drill back, also after Ctrl-C. An automatic fallback that tripped meanwhile is left alone. */
async function resetSurely(invocation: Invocation): Promise<boolean> {
  const { t } = invocation
  const client = invocation.client({ afterInterrupt: true })
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { data } = await client.ask({ path: '/runtime/fallback/status' }, fallbackStatusSchema)
      if (data.fallback.state !== 'normal') {
        invocation.output.err(
          `${t(
            'The runtime fell back by itself meanwhile, so nothing is reset: the drill ends when its time is over.',
            '期间发生了自动回退，因此不重置：演练到时自动结束。',
          )}\n`,
        )
        return false
      }
      await client.ask({ method: 'POST', path: '/runtime/fallback/reset' }, fallbackStatusSchema)
      return true
    } catch (thrown) {
      if (!(thrown instanceof CommandError)) throw thrown
      if (attempt < RESET_TRIES) continue
      invocation.output.err(
        `${thrown.message}\n${t(
          'The drill could not be reset: it ends when its time is over, or by chat-cutover fallback reset.',
          '未能重置演练：到时自动结束，或执行 chat-cutover fallback reset。',
        )}\n`,
      )
      return false
    }
  }
}

function told(replicas: readonly Seen[], reset: boolean, invocation: Invocation): ExitCode {
  const { t, style, json } = invocation
  const isGood = reset && replicas.every(({ flippedMs, backMs }) => flippedMs !== null && backMs !== null)
  if (json)
    invocation.printJson({
      ok: isGood,
      reset,
      replicas: replicas.map(({ url, flippedMs, backMs, fault }) => ({
        url,
        flippedMs: rounded(flippedMs),
        backMs: rounded(backMs),
        ...(fault === '' ? {} : { fault }),
      })),
    })
  else {
    const cell = (ms: number | null): string =>
      ms === null ? style.bad(t('not in time', '未按时')) : style.good(duration(ms))
    const head = [t('replica', '副本'), t('on the direct LLM after', '切到直连 LLM'), t('back after', '恢复')]
    const rows = replicas.map(({ url, flippedMs, backMs, fault }) => [
      oneLine(url),
      cell(flippedMs),
      cell(backMs),
      oneLine(fault),
    ])
    invocation.print(table([head.map(style.dim), ...rows]))
  }
  return isGood ? 0 : 1
}

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms))
