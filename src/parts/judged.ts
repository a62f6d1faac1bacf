import type { Clock } from '../core/clock.js'
import { createJudgedLog } from '../metrics/windows/judged-log.js'
import { createJudgedWindow } from '../metrics/windows/judged-window.js'
import type { JudgedLog, JudgedWindow } from '../metrics/windows/windows.js'

/** What is known of the executions that are judged, for each backend. */
export interface Judged {
  readonly runtime: JudgedWindow
  readonly direct: JudgedWindow
  readonly log: JudgedLog
}

export const openJudged = (clock: Clock): Judged => ({
  runtime: createJudgedWindow(clock),
  direct: createJudgedWindow(clock),
  log: createJudgedLog(clock),
})
