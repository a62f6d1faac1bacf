import { OVERRIDE_FLAG_KEY } from '../../protocol/fallback.js'
import { covers } from '../../protocol/fallback-scope.js'
import { booleanFlag, type EvaluatedSubject } from './flagd-check.js'
import type { Override } from './override.js'
import { renderOverride } from './override-rendering.js'

/**
 * Whether the override is on for somebody, by flagd-core on our own document: what any provider answers once it has it.
 * Where a person's rule fails for somebody, the automatic layer alone answers. Built once for an override; an answer takes
 * a few µs.
 */
export function createOverrideEvaluator(override: Override): (subject: EvaluatedSubject) => boolean {
  const whole = evaluation(override)
  const auto =
    override.manual.scope === 'none' ? whole : evaluation({ ...override, manual: { scope: 'none' } })
  return (subject) => whole(subject) ?? auto(subject) ?? isAutoOn(override, subject)
}

function isAutoOn({ auto }: Override, subject: EvaluatedSubject): boolean {
  return auto.state !== 'normal' && covers(auto.scope, subject)
}

/** A rule that flagd would not even take answers nobody. */
function evaluation(override: Override): (subject: EvaluatedSubject) => boolean | undefined {
  try {
    return booleanFlag(renderOverride(override), OVERRIDE_FLAG_KEY)
  } catch {
    return () => undefined
  }
}
