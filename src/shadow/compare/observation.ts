import type { ExecutionMode } from '../../protocol/modes.js'

/** What one side of a shadow run did, as far as a comparison needs it. Times in ms. */
export interface Observation {
  readonly mode: ExecutionMode
  readonly result: 'ok' | 'error' | 'timeout' | 'aborted' | 'rejected'
  /** of anything but `ok` */
  readonly code?: string
  readonly latencyMs: number
  /** absent when nothing was committed */
  readonly firstContentMs?: number
  readonly tokens?: number
  /** the answer's text, cut at a bound; `characters` counts all of it */
  readonly text: string
  readonly characters: number
  /** titles of the plan, in order */
  readonly steps: readonly string[]
  /** tool, skill and MCP calls, in order: `tool:search`, `skill:…`, `mcp:server/tool` */
  readonly calls: readonly string[]
}
