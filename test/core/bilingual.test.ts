import { expect } from 'chai'
import { languageOfLocale } from '../../src/core/bilingual.js'

describe('the language of a locale', () => {
  const cases: readonly [env: Record<string, string>, language: 'zh-CN' | 'en'][] = [
    [{}, 'en'],
    [{ LANG: 'zh_CN.UTF-8' }, 'zh-CN'],
    [{ LANG: 'ZH' }, 'zh-CN'],
    [{ LANG: 'C' }, 'en'],
    [{ LANG: 'zha_CN' }, 'en'],
    [{ LC_MESSAGES: 'en_US.UTF-8', LANG: 'zh_CN.UTF-8' }, 'en'],
    [{ LC_ALL: 'zh_CN.UTF-8', LC_MESSAGES: 'en_US.UTF-8', LANG: 'en_US.UTF-8' }, 'zh-CN'],
    [{ LC_ALL: '', LC_MESSAGES: '', LANG: 'zh_TW' }, 'zh-CN'],
  ]
  for (const [env, language] of cases)
    it(`is ${language} for ${JSON.stringify(env)}`, () => {
      expect(languageOfLocale(env)).to.equal(language)
    })
})
