export interface PostgresLimits {
  /** connections of this process */
  readonly poolSize: number
  /** ms a statement may take, and a call may wait for a connection */
  readonly timeoutMs: number
}

export const DEFAULT_LIMITS: PostgresLimits = { poolSize: 10, timeoutMs: 2_000 }
