import type { Sentence } from './language.js'

export const ROLLOUT = {
  lead: {
    en: 'Who gets the runtime. Changes go to the operators’ flag file and take effect within a second on every replica; comments and formatting stay.',
    'zh-CN': '设置哪些会话使用 Runtime。修改写入运维标志文件，一秒内在所有副本生效；注释和格式保持不变。',
  },
  inProvider: {
    en: 'The operators’ flags are in the provider of CHAT_PROVIDER_MODULE ({module}). Edit them there.',
    'zh-CN': '运维标志由 CHAT_PROVIDER_MODULE（{module}）的 provider 提供，请在该 provider 的系统中修改。',
  },
  unreadable: {
    en: 'The operators’ file {file} cannot be edited here: {fault}',
    'zh-CN': '无法在此编辑运维标志文件 {file}：{fault}',
  },
  mode: { en: 'For everybody whom no rule names', 'zh-CN': '没有规则指定的会话' },
  modeEnvironment: { en: 'as the environment says: {mode}', 'zh-CN': '由环境变量决定：{mode}' },
  orgsEnvironment: { en: 'The environment adds: {orgs}', 'zh-CN': '环境变量另外指定：{orgs}' },
  orgs: { en: 'Organisations on the runtime (one a line)', 'zh-CN': '使用 Runtime 的组织（每行一个）' },
  canary: { en: 'Canary: percent of all other sessions', 'zh-CN': '金丝雀：其余会话的百分比' },
  shadow: {
    en: 'Shadow: percent of turns that also run on the other backend',
    'zh-CN': '影子：同时在另一后端执行的轮次百分比',
  },
  shadowEnvironment: {
    en: 'Empty: the environment decides ({percent}%).',
    'zh-CN': '留空：由环境变量决定（{percent}%）。',
  },
  handMade: {
    en: 'The rules of this flag were written by hand. Edit them in the file.',
    'zh-CN': '此标志的规则由手工编写，请在文件中编辑。',
  },
  auto: { en: 'auto: fall back by itself', 'zh-CN': 'auto：自动回退' },
  observe: { en: 'observe: say what would trip, do nothing', 'zh-CN': 'observe：只报告，不回退' },
  off: { en: 'off: never fall back by itself', 'zh-CN': 'off：不自动回退' },
  route: { en: 'LLM endpoints in their order (one a line)', 'zh-CN': 'LLM 端点顺序（每行一个）' },
  routeAll: { en: 'Empty: all endpoints as configured.', 'zh-CN': '留空：按配置使用全部端点。' },
  guardrails: { en: 'Guardrails', 'zh-CN': '护栏' },
  guardrailsHint: {
    en: 'Fields of the flag file. A value is JSON: a number, true, false, null, or a list. If errorRate or totalMs is null, the environment decides; if firstContentP95Ms is null, it is not judged.',
    'zh-CN':
      '标志文件中的字段。取值为 JSON：数字、true、false、null 或列表。errorRate、totalMs 为 null 时由环境变量决定，firstContentP95Ms 为 null 时不作判断。',
  },
  badJson: { en: '{name}: this is not JSON.', 'zh-CN': '{name}：不是有效的 JSON。' },
  review: { en: 'Review the change', 'zh-CN': '查看修改' },
  nothing: { en: 'Nothing has been changed.', 'zh-CN': '没有修改。' },
  revert: { en: 'Discard', 'zh-CN': '放弃修改' },
  previewTitle: { en: 'Save this change?', 'zh-CN': '保存此修改？' },
  save: { en: 'Save', 'zh-CN': '保存' },
  noChanges: {
    en: 'The file already says so. Nothing would be written.',
    'zh-CN': '文件内容已是如此，不会写入。',
  },
  diff: { en: 'Difference of the file', 'zh-CN': '文件差异' },
  longDiff: { en: 'The difference is too long to show.', 'zh-CN': '差异过长，无法显示。' },
  noEffect: {
    en: 'How many sessions change sides is not known: the journal cannot be read.',
    'zh-CN': '无法读取记录，因此不知道有多少会话会切换。',
  },
  saved: { en: 'Saved and in effect.', 'zh-CN': '已保存并生效。' },
  savedNote: { en: 'Saved. {note}', 'zh-CN': '已保存。{note}' },
  conflict: { en: 'Somebody else has changed the file meanwhile', 'zh-CN': '其他人已修改该文件' },
  conflictLead: {
    en: 'Nothing of yours is lost and nothing was written. Compare, then go on.',
    'zh-CN': '您的修改没有丢失，也没有写入任何内容。请比较后继续。',
  },
  field: { en: 'Field', 'zh-CN': '字段' },
  before: { en: 'You started from', 'zh-CN': '您开始时' },
  theirs: { en: 'In the file now', 'zh-CN': '文件现状' },
  mine: { en: 'Yours', 'zh-CN': '您的修改' },
  keepMine: { en: 'Put mine on top of theirs', 'zh-CN': '在其修改之上应用我的修改' },
  takeTheirs: { en: 'Discard mine', 'zh-CN': '放弃我的修改' },
  raw: { en: 'Values of the file as JSON', 'zh-CN': '文件取值（JSON）' },
  edits: { en: 'Earlier edits', 'zh-CN': '历史修改' },
  noEdits: { en: 'No edits yet.', 'zh-CN': '暂无修改。' },
} as const satisfies Record<string, Sentence>
