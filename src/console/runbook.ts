import './styles/base.css'
import './styles/document.css'
import { dark } from './parts/theme.js'

/** The runbook beside the console, in the colours that the reader chose there. */
dark.subscribe((isDark) => {
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
})
