/** Every fault of the environment at once; `message` is ready to print. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly faults: readonly string[]) {
    super(
      `The environment has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults
        .map((fault) => `  - ${fault}`)
        .join('\n')}\nEvery variable is listed in .env.example.`,
    )
  }
}
