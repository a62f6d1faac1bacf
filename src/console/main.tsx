import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/layout.css'
import './styles/parts.css'
import './styles/charts.css'
import './styles/fallback.css'
import './styles/views.css'
import { comeBack, finishSignIn, isCallback } from './api/oidc.js'
import { readPageConfig } from './api/page-config.js'
import { takeTokenFromAddress } from './api/session.js'
import { App } from './app.js'

takeTokenFromAddress()
// A link pasted over the address of the open page changes the fragment alone, and the browser does not load the page again.
addEventListener('hashchange', takeTokenFromAddress)
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) comeBack()
})
const known = readPageConfig()
if (isCallback()) void known.then(finishSignIn)
const root = document.getElementById('app')
// Who sees what depends on it; a service that does not answer keeps nobody from the page for long.
if (root !== null) void known.then(() => render(<App />, root))
