import type { Bilingual } from '../core/bilingual.js'

/** Every fault of the environment at once; `message` is ready to print, in English. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** in English */
  readonly faults: readonly string[]

  constructor(private readonly said: readonly Bilingual[]) {
    super(textIn('en', said))
    this.faults = said.map(({ en }) => en)
  }

  /** Ready to print. */
  textIn(language: keyof Bilingual): string {
    return textIn(language, this.said)
  }
}

function textIn(language: keyof Bilingual, faults: readonly Bilingual[]): string {
  const lines = faults.map((fault) => `  - ${fault[language]}\n`).join('')
  const count = faults.length
  return language === 'en'
    ? `The environment has ${count === 1 ? 'a fault' : `${count} faults`}:\n${lines}Every variable is listed in .env.example.`
    : `环境变量有 ${count} 处错误：\n${lines}全部变量见 .env.example。`
}
