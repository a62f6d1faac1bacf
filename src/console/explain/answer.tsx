import type { Explanation } from '../../protocol/api.js'
import { EXPLAIN } from '../text/explain.js'
import { t } from '../text/language.js'
import { MODES } from '../text/parts.js'

/** The decision, then the flags in the order they were asked; the one that settled it stands out. */
export function Answer({ explanation: { context, decision, steps } }: { readonly explanation: Explanation }) {
  return (
    <section class="card" aria-live="polite">
      <h2>{t(EXPLAIN.answer)}</h2>
      <p class="answer">
        <strong class={decision.mode === 'direct_llm' ? 'direct' : 'runtime'}>
          {t(MODES[decision.mode])}
        </strong>{' '}
        {t(decision.shadow ? EXPLAIN.withShadow : EXPLAIN.withoutShadow)} · {t(EXPLAIN.reason)}{' '}
        <code>{decision.reason}</code>
      </p>
      <ol class="decision">
        {steps.map((step) => (
          <li key={step.flag} class={step.decides ? 'decides' : ''}>
            <code>{step.flag}</code> = <b>{String(step.value)}</b>
            {step.decides && <span class="badge good">{t(EXPLAIN.decides)}</span>}
            <p class="quiet">{step.why}</p>
          </li>
        ))}
      </ol>
      <p class="quiet">
        {t(EXPLAIN.context, {
          orgId: context.orgId,
          userId: context.userId,
          agentId: context.agentId || '–',
        })}{' '}
        <code>{context.sessionId}</code>
      </p>
    </section>
  )
}
