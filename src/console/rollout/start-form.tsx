import type { RolloutRequest } from '../../protocol/rollout.js'
import { names } from '../text/format.js'
import { GUARDED } from '../text/guarded.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { lines } from './form-values.js'

/** What a person says of a guarded rollout before it starts. */
export function StartForm({ ask }: { readonly ask: (asked: RolloutRequest) => void }) {
  return (
    <form
      class="inline"
      onSubmit={(event) => {
        event.preventDefault()
        ask(requestOf(new FormData(event.currentTarget)))
      }}
    >
      <label>
        {t(GUARDED.stages)}
        <input
          name="stages"
          required
          defaultValue="1, 5, 25, 100"
          onInput={({ currentTarget }) =>
            currentTarget.setCustomValidity(isRising(currentTarget.value) ? '' : t(GUARDED.stagesRise))
          }
        />
      </label>
      <label>
        {t(GUARDED.minutes)}
        <input name="minutes" type="number" min={1} max={10_080} required defaultValue="30" />
      </label>
      <label>
        {t(GUARDED.orgs)}
        <input name="orgs" spellcheck={false} />
      </label>
      <label>
        {t(GUARDED.agents)}
        <input name="agents" spellcheck={false} />
      </label>
      <label>
        {t(PARTS.reason)}
        <input name="reason" maxLength={500} />
      </label>
      <button type="submit">{t(GUARDED.start)}</button>
    </form>
  )
}

/** As the service asks for it; the browser shows what is wrong at the field. */
function isRising(text: string): boolean {
  const stages = text.split(',').map((stage) => (/^\s*\d+\s*$/.test(stage) ? Number(stage) : 0))
  return stages.every((stage, at) => stage <= 100 && stage > (stages[at - 1] ?? 0))
}

function requestOf(form: FormData): RolloutRequest {
  const text = (name: string): string => String(form.get(name) ?? '').trim()
  const orgIds = lines(text('orgs'))
  const agentIds = lines(text('agents'))
  return {
    stages: lines(text('stages')).map(Number),
    everyMinutes: Number(text('minutes')),
    ...(orgIds.length === 0 ? {} : { orgIds }),
    ...(agentIds.length === 0 ? {} : { agentIds }),
    ...(text('reason') === '' ? {} : { reason: text('reason') }),
  }
}

/** What it will do, in a sentence. */
export function effectOf({ stages, everyMinutes, orgIds, agentIds }: RolloutRequest): string {
  const [percent = 0, ...rest] = stages
  const whom = [...(orgIds ?? []), ...(agentIds ?? [])]
  return t(GUARDED.startEffect, {
    whom: whom.length === 0 ? t(PARTS.everybody) : names(whom, 20),
    percent,
    rest: rest.length === 0 ? t(GUARDED.onlyStage) : rest.map((stage) => `${stage}%`).join(' → '),
    minutes: everyMinutes,
  })
}
