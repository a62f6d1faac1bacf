import { Counter, Gauge } from 'prom-client'
import { EXECUTION_MODES, type ExecutionMode } from '../protocol/modes.js'
import type { MetricsRegistry } from './exposition.js'

/** What the shadows have cost and given since the start; the keys of the records become labels. */
export interface ShadowFigures {
  readonly running: number
  readonly compared: number
  readonly dropped: Readonly<Record<string, number>>
  readonly executions: Readonly<Record<ExecutionMode, Readonly<Record<string, number>>>>
  readonly tokens: Readonly<Record<ExecutionMode, number>>
  readonly fenceViolations: number
}

/** Apart from `chat_executions_total` and all else that tells of users. */
export function registerShadows(registry: MetricsRegistry, shadows: () => ShadowFigures): void {
  new Gauge({
    name: 'chat_shadow_running',
    help: 'Shadows under way',
    registers: [registry],
    collect() {
      this.set(shadows().running)
    },
  })
  const counter = (
    name: string,
    help: string,
    labelNames: readonly string[],
    series: (figures: ShadowFigures) => readonly (readonly [labels: readonly string[], count: number])[],
  ): void => {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        for (const [labels, count] of series(shadows())) this.labels(...labels).inc(count)
      },
    })
  }
  const perMode = (of: (mode: ExecutionMode) => number) =>
    EXECUTION_MODES.map((mode) => [[mode], of(mode)] as const)
  counter(
    'chat_shadow_executions_total',
    'Executions of shadows by their outcome',
    ['mode', 'result'],
    (figures) =>
      EXECUTION_MODES.flatMap((mode) =>
        Object.entries(figures.executions[mode]).map(([result, count]) => [[mode, result], count] as const),
      ),
  )
  counter('chat_shadow_tokens_total', 'Tokens spent on shadows, booked to nobody', ['mode'], ({ tokens }) =>
    perMode((mode) => tokens[mode]),
  )
  counter('chat_shadow_dropped_total', 'Selected turns that gave no comparison', ['reason'], ({ dropped }) =>
    Object.entries(dropped).map(([reason, count]) => [[reason], count] as const),
  )
  counter('chat_shadow_comparisons_total', 'Turns that were compared', [], ({ compared }) => [[[], compared]])
  counter(
    'chat_shadow_fence_violations_total',
    'Mutating calls and files of a runtime that was told it ran as a shadow',
    [],
    ({ fenceViolations }) => [[[], fenceViolations]],
  )
}
