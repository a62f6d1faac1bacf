import { status } from '../api/live.js'
import { Loading } from '../parts/states.js'
import { t } from '../text/language.js'
import { SHELL } from '../text/shell.js'
import { Controls } from './controls.js'
import { History } from './history.js'
import { State } from './state.js'
import { WhatIf } from './what-if.js'

/** The fallback: where it stands and why, what it waits for, what people may do, what happened. */
export function Fallback() {
  const now = status.value
  if (now === undefined) return <Loading />
  return (
    <>
      <h1>{t(SHELL.fallback)}</h1>
      <State status={now} />
      <Controls status={now} />
      <History />
      <WhatIf />
    </>
  )
}
