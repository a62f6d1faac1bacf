/**
 * Words that say a call changes something outside: they make one a fence violation wherever they stand in its name as a
 * whole word, in snake, camel or kebab case. A name is all that is looked at, so a false positive is possible, and so is a
 * harmful call with a harmless name.
 */
const MUTATING = new Set(
  [
    'create add insert append upsert write save store update edit modify replace rename move',
    'delete remove erase drop truncate purge destroy wipe',
    'send reply forward notify publish upload push submit post put patch',
    'pay refund purchase buy book reserve checkout',
    'cancel approve reject revoke grant invite assign subscribe unsubscribe register',
    'execute exec run deploy install uninstall restart shutdown kill commit merge',
  ].flatMap((line) => line.split(' ')),
)

/** Of those, the ones that are as often the name of a thing: behind a word that only looks, they are taken for that. */
const ALSO_THINGS = new Set([
  'post',
  'book',
  'patch',
  'run',
  'commit',
  'store',
  'reply',
  'checkout',
  'purchase',
  'refund',
])
const LOOKING = new Set(
  'get list search find read fetch query lookup describe show count check view browse'.split(' '),
)

/** Chinese has no spaces between words: these count wherever they stand. */
const MUTATING_CHINESE =
  /创建|新建|新增|添加|插入|写入|保存|更新|修改|编辑|删除|移除|清空|发送|发布|回复|提交|上传|支付|付款|退款|购买|下单|预订|预约|取消|审批|执行|运行|部署|安装/

/** As an observer names calls: `tool:send_mail`, `skill:…`, `mcp:server/tool` (the server's name says nothing). */
export function isMutating(call: string): boolean {
  const name = call.slice(Math.max(call.indexOf(':'), call.startsWith('mcp:') ? call.indexOf('/') : -1) + 1)
  if (MUTATING_CHINESE.test(name)) return true
  const words = wordsOf(name)
  const looks = LOOKING.has(words[0] ?? '')
  return words.some((word) => MUTATING.has(word) && !(looks && ALSO_THINGS.has(word)))
}

/** Calls and files by which a shadow seems to have changed something. */
export function fenceViolations(calls: readonly string[], files: number): number {
  return files + calls.filter(isMutating).length
}

/** `sendHTMLMail`, `send-html-mail` and `send_html_mail` are the same three words. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
}
