/** Languages of the command line. */
export type Language = 'zh-CN' | 'en'

/** One text in both languages. */
export type Text = Readonly<Record<Language, string>>

/** Picks the text of the language in use. */
export type Say = (en: string, zh: string) => string

export const sayIn =
  (language: Language): Say =>
  (en, zh) =>
    language === 'en' ? en : zh

/** `--lang` wherever it stands, else the locale of the environment; English where neither says Chinese. */
export function languageOf(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Language {
  const at = argv.findIndex((word) => word === '--lang' || word.startsWith('--lang='))
  const word = argv[at]
  const asked = word === '--lang' ? argv[at + 1] : word?.slice('--lang='.length)
  const locale = asked || env.LC_ALL || env.LC_MESSAGES || env.LANG || ''
  return /^zh\b|^zh_/i.test(locale) ? 'zh-CN' : 'en'
}
