import type { Context } from 'koa'
import type { Bilingual } from '../../core/bilingual.js'
import { createLru } from '../../core/lru.js'

/** Languages of every message a client may read; the first is the default. */
export const LANGUAGES = ['zh-CN', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

/** What a client may read. */
export type Sentence = Bilingual

/** values of `Accept-Language` that are remembered: browsers send far fewer, and shorter ones */
const MOST_KNOWN = 200
const LONGEST_KNOWN = 100
const known = createLru<string, Language>(MOST_KNOWN)

/** The language by `Accept-Language` and its q-values; zh-CN where the client says nothing we speak. */
export function languageOf(ctx: Pick<Context, 'acceptsLanguages' | 'req'>): Language {
  const header = ctx.req.headers['accept-language']
  if (header === undefined) return LANGUAGES[0]
  const before = known.get(header)
  if (before !== undefined) return before
  const language = ctx.acceptsLanguages('zh-CN', 'zh', 'en') === 'en' ? 'en' : 'zh-CN'
  if (header.length <= LONGEST_KNOWN) known.set(header, language)
  return language
}
