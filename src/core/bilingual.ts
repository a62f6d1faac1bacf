import { errorText } from './errors.js'

/** One sentence, or a part of one, in both languages. */
export type Bilingual = Readonly<Record<'zh-CN' | 'en', string>>

/** The same in both languages: names, numbers, texts of others. */
export const same = (text: string): Bilingual => ({ 'zh-CN': text, en: text })

/** For `refine` of a schema: its fault in both languages. */
export const rule = (en: string, zh: string) => ({ error: en, params: { 'zh-CN': zh } })

/** An error in words for people; its message is the English text. */
export class BilingualError extends Error {
  constructor(readonly said: Bilingual) {
    super(said.en)
  }
}

/** What anything that was thrown says; texts of others in their own language. */
export const saidBy = (thrown: unknown): Bilingual =>
  thrown instanceof BilingualError ? thrown.said : same(errorText(thrown))

/** By LC_ALL, LC_MESSAGES or LANG; English where none says Chinese. */
export function languageOfLocale(env: Readonly<Record<string, string | undefined>>): keyof Bilingual {
  return isChinese(env.LC_ALL || env.LC_MESSAGES || env.LANG || '') ? 'zh-CN' : 'en'
}

/** `zh`, `zh-CN`, `zh_CN.UTF-8` */
export const isChinese = (locale: string): boolean => /^zh\b|^zh_/i.test(locale)
