import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useErrorBoundary, useRef } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { connection } from '../api/live.js'
import { claims, reach, signOut } from '../api/session.js'
import { clockTime } from '../text/format.js'
import { chooseLanguage, language, t } from '../text/language.js'
import { SHELL } from '../text/shell.js'
import { DemoPanel } from './demo-panel.js'
import { chooseTheme, THEMES, theme } from './theme.js'

const VIEWS = [
  { path: '/console', name: SHELL.overview, for: ['all', 'org'] },
  { path: '/console/fallback', name: SHELL.fallback, for: ['all', 'org'] },
  { path: '/console/rollout', name: SHELL.rollout, for: ['all'] },
  { path: '/console/shadow', name: SHELL.shadow, for: ['all'] },
  { path: '/console/explain', name: SHELL.explain, for: ['all', 'org'] },
  { path: '/console/try', name: SHELL.tryIt, for: ['all', 'org', 'none'] },
] as const

/** Header, views, the state of the connection; the view itself within. */
export function Shell({ children }: { readonly children: ComponentChildren }) {
  const { path } = useLocation()
  const menu = useRef<HTMLElement>(null)
  useEffect(() => {
    // On a small screen the menu is wider than the page.
    menu.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [path, language.value])
  useEffect(() => {
    const view = VIEWS.find((one) => one.path === path)
    document.title = view === undefined ? 'chat-cutover' : `${t(view.name)} · chat-cutover`
  }, [path, language.value])
  return (
    <>
      <a class="skip" href="#content">
        {t(SHELL.skip)}
      </a>
      <header class="top">
        <a class="brand" href="/console">
          chat-cutover
        </a>
        <nav ref={menu} aria-label={t(SHELL.menu)}>
          {VIEWS.filter((view) => view.for.some((who) => who === reach.value)).map((view) => (
            <a key={view.path} href={view.path} aria-current={path === view.path ? 'page' : undefined}>
              {t(view.name)}
            </a>
          ))}
        </nav>
        <div class="tools">
          <LiveMark />
          <LanguageSwitch />
          <ThemeSwitch />
          <Reader />
        </div>
      </header>
      <Banner />
      {reach.value === 'all' && <DemoPanel />}
      <main id="content" tabIndex={-1}>
        <ViewFault key={path}>{children}</ViewFault>
      </main>
    </>
  )
}

/** A view that breaks, as on an answer of another build, leaves the rest of the page as it is. */
function ViewFault({ children }: { readonly children: ComponentChildren }) {
  const [fault] = useErrorBoundary()
  if (fault === undefined) return children
  return (
    <div class="notice bad" role="alert">
      <p>{t(SHELL.broken, { message: fault instanceof Error ? fault.message : String(fault) })}</p>
      <button type="button" onClick={() => location.reload()}>
        {t(SHELL.reload)}
      </button>
    </div>
  )
}

function LiveMark() {
  const { state } = connection.value
  if (state === 'off') return null
  const text = state === 'live' ? t(SHELL.live) : t(SHELL.connecting)
  return (
    <span class="connection" data-state={state} role="status">
      {text}
    </span>
  )
}

const now = signal(Date.now())

/** What stands between the reader and what is true now. */
function Banner() {
  const known = connection.value
  const waiting = known.state === 'waiting'
  useEffect(() => {
    if (!waiting) return
    const timer = setInterval(() => {
      now.value = Date.now()
    }, 1000)
    return () => clearInterval(timer)
  }, [waiting])
  if (reach.value === 'none') return <p class="banner">{t(SHELL.member)}</p>
  if (reach.value === 'org')
    return <p class="banner">{t(SHELL.ownOrg, { orgId: claims.value?.orgId ?? '' })}</p>
  if (known.state === 'forbidden') return <p class="banner bad">{t(SHELL.forbidden, { why: known.why })}</p>
  if (known.state !== 'waiting') return null
  const seconds = Math.max(0, Math.ceil((known.nextAt - now.value) / 1000))
  return (
    <p class="banner bad" role="alert">
      {t(SHELL.waiting, { since: clockTime(known.since), seconds })}
    </p>
  )
}

function LanguageSwitch() {
  const other = language.value === 'en' ? 'zh-CN' : 'en'
  return (
    <button type="button" class="plain" lang={other} onClick={() => chooseLanguage(other)}>
      {other === 'en' ? 'English' : '中文'}
    </button>
  )
}

/** Stands once in the page. */
const THEME_FIELD = 'theme-choice'
const THEME_NAMES = { auto: SHELL.themeAuto, light: SHELL.themeLight, dark: SHELL.themeDark } as const

function ThemeSwitch() {
  return (
    <label class="select" for={THEME_FIELD}>
      <span class="hidden">{t(SHELL.theme)}</span>
      <select
        id={THEME_FIELD}
        value={theme.value}
        onChange={({ currentTarget }) => {
          const chosen = THEMES.find((one) => one === currentTarget.value)
          if (chosen !== undefined) chooseTheme(chosen)
        }}
      >
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {t(THEME_NAMES[one])}
          </option>
        ))}
      </select>
    </label>
  )
}

function Reader() {
  const who = claims.value
  if (who === undefined) return null
  return (
    <span class="reader">
      <span title={`${who.userId} · ${who.orgId}`}>
        {who.userId} <small>{who.role}</small>
      </span>
      <button type="button" class="plain" onClick={() => signOut()}>
        {t(SHELL.signOut)}
      </button>
    </span>
  )
}
