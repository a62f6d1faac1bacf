import { renameSync, writeFileSync } from 'node:fs'
import type { CodeDefaults, Config } from '../../src/config.js'
import type { Caller } from '../../src/decision/caller.js'
import { FLAG_KEYS } from '../../src/decision/flags.js'

/** What a test writes into the operators' file; what is left out has no flag. */
export interface OpsFlags {
  /** `defaultVariant` of the mode flag */
  readonly mode?: string | null
  /** orgs the mode flag's targeting sends to the runtime */
  readonly runtimeOrgs?: readonly string[]
  readonly shadowPercent?: number
  /** the guardrails' one variant */
  readonly guardrails?: object
  readonly profile?: object
  readonly route?: object
}

export function opsDocument({
  mode,
  runtimeOrgs,
  shadowPercent,
  guardrails,
  profile,
  route,
}: OpsFlags): string {
  const flags: Record<string, object> = {}
  if (mode !== undefined)
    flags[FLAG_KEYS.mode] = {
      state: 'ENABLED',
      variants: { direct_llm: 'direct_llm', runtime_orchestrator: 'runtime_orchestrator' },
      defaultVariant: mode,
      ...(runtimeOrgs === undefined
        ? {}
        : { targeting: { if: [{ in: [{ var: 'orgId' }, runtimeOrgs] }, 'runtime_orchestrator', null] } }),
    }
  if (shadowPercent !== undefined)
    flags[FLAG_KEYS.shadow] = {
      state: 'ENABLED',
      variants: { on: true, off: false },
      defaultVariant: 'off',
      targeting: {
        fractional: [
          ['on', shadowPercent],
          ['off', 100 - shadowPercent],
        ],
      },
    }
  if (guardrails !== undefined) flags[FLAG_KEYS.guardrails] = objectFlag(guardrails)
  if (profile !== undefined) flags[FLAG_KEYS.profile] = objectFlag(profile)
  if (route !== undefined) flags[FLAG_KEYS.route] = objectFlag(route)
  return JSON.stringify({ flags }, null, 2)
}

export function overrideDocument(variant: 'on' | 'off', targeting?: object): string {
  const flag = {
    state: 'ENABLED',
    variants: { on: true, off: false },
    defaultVariant: variant,
    ...(targeting === undefined ? {} : { targeting }),
  }
  return JSON.stringify({ flags: { [FLAG_KEYS.override]: flag } }, null, 2)
}

const objectFlag = (value: object) => ({
  state: 'ENABLED',
  variants: { standard: value },
  defaultVariant: 'standard',
})

/** As a careful editor saves: a new file takes the old one's place. */
export function saveByRename(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

export const CODE_DEFAULTS: CodeDefaults = {
  mode: 'direct_llm',
  enabledOrgs: [],
  shadowPercent: 0,
  totalMs: 300_000,
  errorRate: 0.5,
}

export function flagsConfig(
  opsFile: string,
  overrideFile: string,
  resolver: Config['flags']['resolver'] = 'file',
  port = 1,
): Config['flags'] {
  return { resolver, opsFile, overrideFile, flagd: { host: '127.0.0.1', port, tls: false } }
}

/** A caller of a session of its own, the same for the same number. */
export function callerOf(at: number, orgId = 'org-1'): Caller {
  const sessionId = `5f0c1f3e-0000-4000-8000-${String(at).padStart(12, '0')}`
  return { orgId, userId: `user-${at}`, agentId: 'assistant', sessionId }
}
