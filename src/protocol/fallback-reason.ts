import type { FallbackCause } from './fallback.js'

/** Why there is a fallback, in words that operators know; rates 0 to 1, latency in ms. */
export function tripReason(
  trip: { readonly cause: FallbackCause; readonly value: number; readonly threshold: number },
  language: 'zh-CN' | 'en',
): string {
  const zh = language === 'zh-CN'
  const { value, threshold } = trip
  switch (trip.cause) {
    case 'error_rate':
      return zh
        ? `错误率过高: ${percent(value)} (阈值: ${percent(threshold)})`
        : `Error rate too high: ${percent(value)} (threshold: ${percent(threshold)})`
    case 'timeout_rate':
      return zh
        ? `超时率过高: ${percent(value)} (阈值: ${percent(threshold)})`
        : `Timeout rate too high: ${percent(value)} (threshold: ${percent(threshold)})`
    case 'latency':
      return zh
        ? `平均延迟过高: ${Math.round(value)}ms (阈值: ${Math.round(threshold)}ms)`
        : `Average latency too high: ${Math.round(value)}ms (threshold: ${Math.round(threshold)}ms)`
    case 'first_content':
      return zh
        ? `首个内容过慢: P95 ${Math.round(value)}ms (阈值: ${Math.round(threshold)}ms)`
        : `First content too slow: P95 ${Math.round(value)}ms (threshold: ${Math.round(threshold)}ms)`
    case 'health':
      return zh ? 'Runtime 服务不可用: 健康检查失败' : 'Runtime unavailable: health check failed'
    case 'manual':
      return zh ? '手动回退' : 'Fallback by hand'
  }
}

const percent = (rate: number): string => `${(rate * 100).toFixed(2)}%`
