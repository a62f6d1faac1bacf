import { isChinese, languageOfLocale } from '../../core/bilingual.js'

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

/** What --lang takes. */
export const LANGUAGES: readonly Language[] = ['zh-CN', 'en']

/** What `--lang` says, wherever it stands; undefined where it is not there or says nothing. */
export function askedLanguage(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((word) => word === '--lang' || word.startsWith('--lang='))
  const word = argv[at]
  return word === '--lang' ? argv[at + 1] : word?.slice('--lang='.length)
}

/** By `--lang`, else by the locale of the environment; English where neither says Chinese. */
export function languageOf(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Language {
  const asked = askedLanguage(argv) ?? ''
  if (!isSpoken(asked)) return languageOfLocale(env)
  return isChinese(asked) ? 'zh-CN' : 'en'
}

/** Also in the forms of locales: `zh_CN.UTF-8`. */
export const isSpoken = (asked: string): boolean => /^(?:zh|en)(?:[-_.@]|$)/i.test(asked)
