/** What one check of `doctor` found. */
export interface Finding {
  readonly check: string
  readonly result: 'ok' | 'warning' | 'fault' | 'skipped'
  readonly text: string
  /** what to do */
  readonly advice?: string
}

/** Clocks further apart than this, ms: tokens may be refused, and times in logs do not fit together. */
const MOST_SKEW_MS = 5_000

export function clockFinding(
  check: string,
  skewMs: number | undefined,
  t: (en: string, zh: string) => string,
): Finding {
  if (skewMs === undefined) return { check, result: 'skipped', text: t('it tells no time', '未返回时间') }
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1)
  if (Math.abs(skewMs) <= MOST_SKEW_MS)
    return { check, result: 'ok', text: t('agrees with ours', '与本机一致') }
  const text =
    skewMs > 0
      ? t(`${seconds} s ahead of ours`, `比本机快 ${seconds} 秒`)
      : t(`${seconds} s behind ours`, `比本机慢 ${seconds} 秒`)
  return {
    check,
    result: 'warning',
    text,
    advice: t(
      'Synchronise the clocks (NTP): tokens are good or expired by them',
      '请用 NTP 同步时钟：令牌是否有效取决于时钟',
    ),
  }
}
