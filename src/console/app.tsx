import { useEffect } from 'preact/hooks'
import { LocationProvider, Route, Router } from 'preact-iso'
import { startLive, stopLive } from './api/live.js'
import { claims, reach, token } from './api/session.js'
import { Explain } from './explain/explain.js'
import { Fallback } from './fallback/fallback.js'
import { OrgFallback } from './fallback/org-fallback.js'
import { OrgOverview } from './overview/org-overview.js'
import { Overview } from './overview/overview.js'
import { Shell } from './parts/shell.js'
import { Rollout } from './rollout/rollout.js'
import { Shadow } from './shadow/shadow.js'
import { SignIn } from './sign-in.js'
import { t } from './text/language.js'
import { SHELL } from './text/shell.js'
import { TryIt } from './try-it/try-it.js'
import { newSession } from './try-it/turns.js'

/** The page: sign-in, else the shell with one view by its address. */
export function App() {
  const seen = reach.value
  useEffect(() => {
    if (seen !== 'all') return
    startLive()
    return stopLive
  }, [seen, token.value])
  // The next reader of this tab does not see what this one asked.
  useEffect(() => newSession, [token.value])
  if (claims.value === undefined) return <SignIn />
  return (
    <LocationProvider scope="/console">
      <Shell>
        {seen === 'none' && <TryIt />}
        {seen === 'org' && (
          <Router>
            <Route path="/console/try" component={TryIt} />
            <Route path="/console" component={OrgOverview} />
            <Route path="/console/fallback" component={OrgFallback} />
            <Route path="/console/explain" component={Explain} />
            <Route default component={NotFound} />
          </Router>
        )}
        {seen === 'all' && (
          <Router>
            <Route path="/console/try" component={TryIt} />
            <Route path="/console" component={Overview} />
            <Route path="/console/fallback" component={Fallback} />
            <Route path="/console/rollout" component={Rollout} />
            <Route path="/console/shadow" component={Shadow} />
            <Route path="/console/explain" component={Explain} />
            <Route default component={NotFound} />
          </Router>
        )}
      </Shell>
    </LocationProvider>
  )
}

function NotFound() {
  return (
    <section class="card">
      <h1>{t(SHELL.notFound)}</h1>
      <p>
        <a href="/console">{t(SHELL.overview)}</a>
      </p>
    </section>
  )
}
