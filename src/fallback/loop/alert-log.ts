import type { Logger } from '../../core/logger.js'
import type { Alert } from '../fallback.js'
import { alertOver, alertRaised } from './fallback-log.js'

/** Logs alerts when they begin and end. One is told when it was there in two rounds running: a single late read is no trouble. */
export class AlertLog {
  #present: readonly Alert[] = []
  #told: readonly Alert[] = []

  constructor(private readonly logger: Logger) {}

  /** @param alerts all that there are at the end of a round */
  roundEnded(alerts: readonly Alert[]): void {
    const told = this.#told.filter(({ kind }) => alerts.some((alert) => alert.kind === kind))
    for (const alert of this.#told) if (!told.includes(alert)) alertOver(this.logger, alert)
    for (const alert of alerts) {
      const isLasting = this.#present.some(({ kind }) => kind === alert.kind)
      if (!isLasting || told.some(({ kind }) => kind === alert.kind)) continue
      alertRaised(this.logger, alert)
      told.push(alert)
    }
    this.#present = alerts
    this.#told = told
  }
}
