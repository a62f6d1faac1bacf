import { computed, signal } from '@preact/signals'

export const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const KEY = 'chat-cutover.theme'

const kept = (text: string | null): Theme => THEMES.find((one) => one === text) ?? 'auto'

export const theme = signal<Theme>(kept(localStorage.getItem(KEY)))

const system = matchMedia('(prefers-color-scheme: dark)')
const systemIsDark = signal(system.matches)
system.addEventListener('change', ({ matches }) => {
  systemIsDark.value = matches
})

/** The colours in use; charts are drawn again when they change. */
export const dark = computed(() => theme.value === 'dark' || (theme.value === 'auto' && systemIsDark.value))
dark.subscribe((isDark) => {
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
})

export function chooseTheme(chosen: Theme): void {
  localStorage.setItem(KEY, chosen)
  theme.value = chosen
}
