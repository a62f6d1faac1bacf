/** endpoints and models together; agent profiles name the models, so there are few */
const MAX_REMEMBERED = 1000

const NONE: ReadonlySet<string> = new Set()

/**
 * Which parameters the models of the endpoints have refused, until the process ends. One for the whole process, so that
 * users and shadows learn from each other.
 */
export class RefusedParameters {
  readonly #byModel = new Map<string, Set<string>>()

  of(endpoint: string, model: string): ReadonlySet<string> {
    return this.#byModel.get(keyOf(endpoint, model)) ?? NONE
  }

  /** @returns whether that is new */
  add(endpoint: string, model: string, parameter: string): boolean {
    const key = keyOf(endpoint, model)
    const known = this.#byModel.get(key)
    if (known === undefined) {
      if (this.#byModel.size >= MAX_REMEMBERED) return false
      this.#byModel.set(key, new Set([parameter]))
      return true
    }
    if (known.has(parameter)) return false
    known.add(parameter)
    return true
  }
}

function keyOf(endpoint: string, model: string): string {
  return `${endpoint}\n${model}`
}
