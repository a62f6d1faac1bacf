import type { ExecutionMode } from '../../protocol/modes.js'
import type { Say } from './language.js'

/** Numbers and names as people read them. */

export const percent = (rate: number): string => `${(rate * 100).toFixed(rate === 0 || rate === 1 ? 0 : 1)}%`

/** `950 ms`, `1.25 s` */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

/** `45 s`, `12 min`, `3.5 h` */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  const minutes = seconds / 60
  if (minutes < 120) return `${Math.round(minutes)} min`
  return `${(minutes / 60).toFixed(1)} h`
}

export const modeName = (mode: ExecutionMode, t: Say): string =>
  mode === 'direct_llm' ? t('direct LLM', '直连 LLM') : 'runtime'

/** `2026-01-31 08:00:00Z` */
export const moment = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z')
