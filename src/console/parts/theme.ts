import { signal } from '@preact/signals'

export const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const KEY = 'chat-cutover.theme'

const kept = (text: string | null): Theme => THEMES.find((one) => one === text) ?? 'auto'

export const theme = signal<Theme>(kept(localStorage.getItem(KEY)))
/** Charts are drawn again when the colours change. */
export const dark = signal(false)

const system = matchMedia('(prefers-color-scheme: dark)')
const apply = (): void => {
  document.documentElement.dataset.theme = theme.value
  dark.value = theme.value === 'dark' || (theme.value === 'auto' && system.matches)
}
system.addEventListener('change', apply)
theme.subscribe(apply)

export function chooseTheme(chosen: Theme): void {
  localStorage.setItem(KEY, chosen)
  theme.value = chosen
}
