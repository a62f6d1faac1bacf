// fast-check as the tests get it while mutants are tested: few runs of each property, always the same ones. Without a limit
// of time, a result does not depend on how busy the machine is.
import { register } from 'node:module'
import fc from 'fast-check'

/** runs of one property for each mutant: a mutant that needs more luck than that counts as not noticed */
const PROPERTY_RUNS = 20
const SEED = 1

const few = ({ numRuns = PROPERTY_RUNS, ...settings } = {}) => ({
  ...settings,
  numRuns: Math.min(numRuns, PROPERTY_RUNS),
  seed: SEED,
  endOnFailure: true,
})

/**
 * In this process, `import fc from 'fast-check'` gets the default export of this file from now on.
 * @throws Error where modules can be loaded by `require`, which would get around it
 */
export function useFewRuns() {
  if (process.features.require_module) throw new Error('needs node --no-experimental-require-module')
  const hooks = `export const resolve = (name, context, next) =>
    name === 'fast-check' && context.parentURL !== ${JSON.stringify(import.meta.url)}
      ? { url: ${JSON.stringify(import.meta.url)}, format: 'module', shortCircuit: true }
      : next(name, context)`
  register(`data:text/javascript,${encodeURIComponent(hooks)}`)
}

export default { ...fc, assert: (property, settings) => fc.assert(property, few(settings)) }
