import type { Sentence } from './language.js'

/** Texts around the views. */
export const SHELL = {
  overview: { en: 'Overview', 'zh-CN': '总览' },
  fallback: { en: 'Fallback', 'zh-CN': '回退' },
  rollout: { en: 'Rollout', 'zh-CN': '切流' },
  shadow: { en: 'Shadow report', 'zh-CN': '影子对比' },
  explain: { en: 'Explain', 'zh-CN': '决策说明' },
  tryIt: { en: 'Try it', 'zh-CN': '试用' },
  notFound: { en: 'There is no such page.', 'zh-CN': '没有这个页面。' },
  skip: { en: 'Skip to the content', 'zh-CN': '跳到正文' },
  menu: { en: 'Views', 'zh-CN': '页面' },
  signOut: { en: 'Sign out', 'zh-CN': '退出' },
  theme: { en: 'Theme', 'zh-CN': '主题' },
  themeAuto: { en: 'System', 'zh-CN': '跟随系统' },
  themeLight: { en: 'Light', 'zh-CN': '浅色' },
  themeDark: { en: 'Dark', 'zh-CN': '深色' },
  live: { en: 'Live', 'zh-CN': '实时' },
  connecting: { en: 'Connecting…', 'zh-CN': '正在连接…' },
  waiting: {
    en: 'Connection lost since {since}. Shown is what was last known; the next attempt is in {seconds} s.',
    'zh-CN': '自 {since} 起连接中断。显示的是最后已知状态；{seconds} 秒后重试。',
  },
  forbidden: {
    en: 'This token may not see the operators’ data: {why}',
    'zh-CN': '此令牌无权查看运维数据：{why}',
  },
  member: {
    en: 'You are signed in as a member. The operators’ views need the role admin or owner; the chat is open to you.',
    'zh-CN': '您以普通成员身份登录。运维页面需要 admin 或 owner 角色；您可以使用聊天。',
  },
  ownOrg: {
    en: 'You see the organisation {orgId}. What concerns all organisations needs the role owner.',
    'zh-CN': '您看到的是组织 {orgId} 的数据。涉及所有组织的内容需要 owner 角色。',
  },
  loading: { en: 'Loading…', 'zh-CN': '加载中…' },
  broken: {
    en: 'This view cannot show what the service answered ({message}). If the service was just updated, load the page again.',
    'zh-CN': '此页面无法显示服务返回的内容（{message}）。如果服务刚刚更新过，请重新加载页面。',
  },
  reload: { en: 'Load again', 'zh-CN': '重新加载' },
  retry: { en: 'Try again', 'zh-CN': '重试' },
} as const satisfies Record<string, Sentence>
