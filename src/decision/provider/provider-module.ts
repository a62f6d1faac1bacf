import type { Provider } from '@openfeature/server-sdk'
import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'

/** `factory` gives a provider of its own at each call, so that a failed one can be replaced. */
export type ProviderExport =
  | { readonly kind: 'provider'; readonly provider: Provider }
  | { readonly kind: 'factory'; make(): Promise<Provider> }

/** ms a module may take until it is loaded */
const LOAD_MS = 10_000
const EXPORTS = ['default', 'provider', 'createProvider'] as const
const EVALUATIONS = ['Boolean', 'String', 'Number', 'Object'] as const

/**
 * Loads the module of CHAT_PROVIDER_MODULE. Of its exports the first of `default`, `provider` and `createProvider` counts: a
 * provider, or a function that gives one, now or by a promise.
 * @throws a text for the operator when the module cannot be loaded, or exports neither
 */
export async function loadProviderModule(
  { name, url }: { readonly name: string; readonly url: string },
  clock: Clock,
): Promise<ProviderExport> {
  const loaded = await bounded(importModule(url), LOAD_MS, clock).catch((thrown: unknown) => {
    throw new Error(`CHAT_PROVIDER_MODULE: ${name} cannot be loaded: ${errorText(thrown)}`)
  })
  if (loaded === 'late')
    throw new Error(`CHAT_PROVIDER_MODULE: ${name} was not loaded within ${LOAD_MS / 1000} s`)
  const found = exportOf(loaded)
  if (isProvider(found)) return { kind: 'provider', provider: serverProvider(found, name) }
  if (typeof found !== 'function')
    throw new Error(
      `CHAT_PROVIDER_MODULE: ${name} exports no OpenFeature provider: its export "default", "provider" or "createProvider" must be a provider, or a function that returns one`,
    )
  return {
    kind: 'factory',
    async make() {
      const made: unknown = await Reflect.apply(found, undefined, [])
      if (!isProvider(made)) throw new Error('the exported function did not return an OpenFeature provider')
      return serverProvider(made, name)
    },
  }
}

async function importModule(url: string): Promise<unknown> {
  const loaded: unknown = await import(url)
  return loaded
}

function exportOf(loaded: unknown): unknown {
  for (const name of EXPORTS) {
    const found = memberOf(loaded, name)
    if (found === undefined) continue
    // A CommonJS module made from an ES module: what is meant is one level below.
    if (isProvider(found) || typeof found === 'function') return found
    const inner = EXPORTS.map((each) => memberOf(found, each)).find((each) => each !== undefined)
    if (inner !== undefined) return inner
  }
  return undefined
}

function memberOf(owner: unknown, name: string): unknown {
  return typeof owner === 'object' && owner !== null ? Reflect.get(owner, name) : undefined
}

function isProvider(value: unknown): value is Provider {
  return EVALUATIONS.every((type) => typeof memberOf(value, `resolve${type}Evaluation`) === 'function')
}

function serverProvider(provider: Provider, name: string): Provider {
  if (provider.runsOn === 'client')
    throw new Error(
      `CHAT_PROVIDER_MODULE: ${name} has a provider for browsers; a provider for servers is needed`,
    )
  return provider
}
