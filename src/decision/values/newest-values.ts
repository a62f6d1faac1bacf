import { createLru } from '../../core/lru.js'
import { placeOf } from '../../core/numbers/hash.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import { type Caller, NOBODY } from '../caller.js'
import { type Evaluated, isTargeted, type OverrideValue } from '../decide.js'
import { FLAG_KEYS, type FlagKey } from '../flags.js'
import { ValueShares } from './value-shares.js'

/** orgs remembered; each takes a few hundred bytes */
const CAPACITY = 10_000

/** The owner of the flag left the choice to the environment. */
export type OrDefault<T> = T | 'code_default'

/** Flags that may differ among the sessions of an org, as answered; absent: not answered. */
export interface SessionValues {
  readonly mode?: OrDefault<Evaluated<ExecutionMode>> | undefined
  readonly shadow?: OrDefault<boolean> | undefined
  readonly override?: OverrideValue | undefined
  readonly rollout?: OverrideValue | undefined
}

/** One of the service's own flags. Each write is a version of its own; an answer that is older than what is known says nothing. */
class NewestWrite {
  readonly shares = new ValueShares<OverrideValue>(({ on }) => String(on))
  /** of the newest write seen, and the version of its flag by then */
  #revision = Number.NEGATIVE_INFINITY
  #version = -1

  note(value: OverrideValue, version: number): void {
    const { revision = Number.NEGATIVE_INFINITY } = value
    if (this.#version === version && revision < this.#revision) return
    this.#version = version
    this.#revision = revision
    this.shares.note(value, `${version} ${revision}`)
  }
}

class OrgValues {
  readonly mode = new ValueShares<OrDefault<Evaluated<ExecutionMode>>>(nameOfMode)
  readonly shadow = new ValueShares<OrDefault<boolean>>(String)
  readonly override = new NewestWrite()
  readonly rollout = new NewestWrite()
}

function nameOfMode(mode: OrDefault<Evaluated<ExecutionMode>>): string {
  return mode === 'code_default' ? mode : `${mode.value}${isTargeted(mode) ? ' targeted' : ''}`
}

/**
 * The newest values of each org, for sessions that were never answered. Where the sessions of an org differ, a hash of the
 * session picks by the shares seen, flag by flag as flagd buckets them.
 */
export class NewestValues {
  readonly #orgs = createLru<string, OrgValues>(CAPACITY)
  readonly #versions = { mode: 0, shadow: 0, override: 0, rollout: 0 }
  #newest: OrgValues | undefined

  /** What is seen from now on replaces what was seen before; without keys: of all flags. */
  flagsChanged(keys: readonly string[]): void {
    for (const flag of ['mode', 'shadow', 'override', 'rollout'] as const)
      if (keys.length === 0 || keys.includes(FLAG_KEYS[flag])) this.#versions[flag] += 1
  }

  note({ orgId }: Caller, { mode, shadow, override, rollout }: SessionValues): void {
    const known = this.#orgs.get(orgId)
    const org = known ?? new OrgValues()
    if (known === undefined) this.#orgs.set(orgId, org)
    this.#newest = org
    if (mode !== undefined) org.mode.note(mode, this.#versions.mode)
    if (shadow !== undefined) org.shadow.note(shadow, this.#versions.shadow)
    if (override !== undefined) org.override.note(override, this.#versions.override)
    if (rollout !== undefined) org.rollout.note(rollout, this.#versions.rollout)
  }

  /**
   * Of the org; where none of its sessions was answered, what nobody in particular would get, so that an org which the
   * targeting names does not speak for the others.
   */
  of(caller: Caller): SessionValues {
    const orgs = [this.#orgs.get(caller.orgId), this.#orgs.get(NOBODY.orgId), this.#newest]
    return {
      mode: firstAt(caller, FLAG_KEYS.mode, orgs, ({ mode }) => mode),
      shadow: firstAt(caller, FLAG_KEYS.shadow, orgs, ({ shadow }) => shadow),
      override: firstAt(caller, FLAG_KEYS.override, orgs, ({ override }) => override.shares),
      rollout: firstAt(caller, FLAG_KEYS.rollout, orgs, ({ rollout }) => rollout.shares),
    }
  }
}

function firstAt<T>(
  { sessionId }: Caller,
  key: FlagKey,
  orgs: readonly (OrgValues | undefined)[],
  sharesOf: (org: OrgValues) => ValueShares<T>,
): T | undefined {
  const place = placeOf(`${key}${sessionId}`)
  for (const org of orgs) {
    const value = org === undefined ? undefined : sharesOf(org).at(place)
    if (value !== undefined) return value
  }
  return undefined
}
