import { covers, isSameScope, type Scope, type ScopeSubject } from '../../protocol/fallback-scope.js'

/**
 * Since when no turn of a scope came that without the override would be the runtime's. A scope that is new begins with the
 * first look at it. Instants are monotonic ms.
 */
export class ScopeIdleTime {
  #last: { readonly scope: Scope; at: number } | undefined

  turn(scope: Scope | undefined, subject: ScopeSubject, now: number): void {
    if (scope === undefined || !covers(scope, subject)) return
    this.#of(scope, now).at = now
  }

  /** 0 where there is no scope. */
  forMs(scope: Scope | undefined, now: number): number {
    return scope === undefined ? 0 : now - this.#of(scope, now).at
  }

  #of(scope: Scope, now: number): { at: number } {
    if (this.#last === undefined || !isSameScope(this.#last.scope, scope)) this.#last = { scope, at: now }
    return this.#last
  }
}
