import { signal } from '@preact/signals'

/** The language of the page and of what the service says: chosen, else that of the browser. */

export const LANGUAGES = ['en', 'zh-CN'] as const
export type Language = (typeof LANGUAGES)[number]
const KEY = 'chat-cutover.language'

const isLanguage = (text: string | null): text is Language => text === 'en' || text === 'zh-CN'

function first(): Language {
  const asked = new URLSearchParams(location.search).get('lang')
  if (isLanguage(asked)) return asked
  const kept = localStorage.getItem(KEY)
  if (isLanguage(kept)) return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

export const language = signal<Language>(first())

language.subscribe((now) => {
  document.documentElement.lang = now
})

export function chooseLanguage(chosen: Language): void {
  localStorage.setItem(KEY, chosen)
  language.value = chosen
}

/** A text in both languages. */
export type Sentence = Readonly<Record<Language, string>>

/** The text in the reader's language; `{name}` is replaced. Reading it in a component follows the language. */
export function t(sentence: Sentence, values: Readonly<Record<string, string | number>> = {}): string {
  return sentence[language.value].replace(/\{(\w+)\}/g, (whole, name: string) =>
    String(values[name] ?? whole),
  )
}
