import type { Context } from 'koa'

/** Languages of every message a client may read; the first is the default. */
export const LANGUAGES = ['zh-CN', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

/** One sentence in every language. */
export type Sentence = Readonly<Record<Language, string>>

/** The language by `Accept-Language` and its q-values; zh-CN where the client says nothing we speak. */
export function languageOf(ctx: Pick<Context, 'acceptsLanguages'>): Language {
  return ctx.acceptsLanguages('zh-CN', 'zh', 'en') === 'en' ? 'en' : 'zh-CN'
}
