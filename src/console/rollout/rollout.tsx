import type { FlagsView } from '../../protocol/flag-edit.js'
import { flagsChange } from '../api/live.js'
import { useResource } from '../api/resource.js'
import { Values } from '../parts/json.js'
import { Loaded } from '../parts/states.js'
import { t } from '../text/language.js'
import { ROLLOUT } from '../text/rollout.js'
import { SHELL } from '../text/shell.js'
import { Edits } from './edits.js'
import { FlagForm } from './flag-form.js'
import { Guarded } from './guarded.js'

/** Who gets the runtime: the operators' flags as forms. */
export function Rollout() {
  const flags = useResource<FlagsView>('/runtime/flags', [flagsChange.value])
  return (
    <>
      <h1>{t(SHELL.rollout)}</h1>
      <p class="quiet">{t(ROLLOUT.lead)}</p>
      <Loaded resource={flags}>
        {({ resolver, ops, environment }, etag) =>
          resolver === 'provider' ? (
            <p class="notice">{t(ROLLOUT.inProvider, { module: ops.file })}</p>
          ) : ops.values === null || etag === null ? (
            <p class="notice bad">{t(ROLLOUT.unreadable, { file: ops.file, fault: ops.fault ?? '' })}</p>
          ) : (
            <>
              <FlagForm values={ops.values} environment={environment} etag={etag} refresh={flags.refresh} />
              <details class="card">
                <summary>{t(ROLLOUT.raw)}</summary>
                <Values name={ops.file} value={ops.values} startsAs="json" />
              </details>
            </>
          )
        }
      </Loaded>
      <Guarded />
      <Edits />
    </>
  )
}
