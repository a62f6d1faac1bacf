/** Why no turn begins. */
export type TurnRefusal =
  | 'session_unknown'
  | 'turn_running'
  | 'starting'
  | 'draining'
  | 'overloaded'
  | 'rate_limited'
  | 'too_many_streams'
  | 'quota_exceeded'
  | 'llm_overloaded'

/** A turn that does not begin; thrown before anything of it can be seen. */
export class TurnRefused extends Error {
  override readonly name = 'TurnRefused'

  /** @param retryAfterSeconds whole seconds, where it goes away by itself */
  constructor(
    readonly refusal: TurnRefusal,
    readonly retryAfterSeconds?: number,
  ) {
    super(refusal)
  }
}
