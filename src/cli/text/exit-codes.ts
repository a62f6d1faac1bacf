import { type Language, sayIn } from './language.js'

/** What the exit codes of a command say, where it has none of its own. */
export function exitCodes(language: Language): string {
  return sayIn(language)(
    'Exit code: 0 done; 1 something is wrong, or the service is not there or refuses; 2 wrong usage; 130 ended by Ctrl-C.',
    '退出码（Exit code: 0 / 1 / 2 / 130）：0 完成；1 有问题，或服务不可达、拒绝；2 用法错误；130 被 Ctrl-C 中断。',
  )
}
