import type {
  ComparisonContent,
  ComparisonSums,
  DropSums,
  KindSums,
  SideCounts,
} from '../../journal/comparison.js'
import { instant } from '../../protocol/instant.js'
import { type ExecutionMode, otherMode } from '../../protocol/modes.js'
import type { ShadowReport } from '../../protocol/shadow-report.js'
import { distributionsOf } from './distributions.js'
import { type MeasuredDimension, measureDimensions } from './report-dimensions.js'
import { INTERVAL_CONFIDENCE, overallVerdict, REPORT_CONFIDENCE, verdictOn } from './report-rules.js'
import { dimensionSentence, overallSentence } from './report-text.js'
import { isMismatch, type RatioCheck, ratioChecks } from './sample-ratio.js'
import { newTally } from './shadow-counts.js'

/** What a report is made from beside the sums. Instants are wall-clock ms. */
export interface ReportSubject {
  readonly from: number
  readonly to: number
  readonly orgId?: string
  readonly agentId?: string
  /** the mode of the users' side */
  readonly control: ExecutionMode
  /** selected turns without a comparison; a reason that is absent is none */
  readonly dropped: DropSums
  /** only if content is kept */
  readonly contents?: readonly ComparisonContent[]
}

/** The report over all pairs that `sums` was made from. The rules of its verdicts: report-rules.ts. */
export function shadowReport(sums: ComparisonSums, subject: ReportSubject): ShadowReport {
  const { ab, aa, assigned } = sums
  const compared = { ab: ab.pairs + ab.left, aa: aa.pairs + aa.left }
  const checks = ratioChecks(assigned, compared, subject.dropped.kinds)
  const trusted = !checks.some(isMismatch)
  const dimensions = measureDimensions(ab, aa).map(withVerdict)
  const summary = {
    control: subject.control,
    candidate: otherMode(subject.control),
    // What was not drawn as it should be proves nothing.
    verdict: trusted ? overallVerdict(dimensions) : ('insufficient_data' as const),
    pairs: { ab: ab.pairs, aa: aa.pairs },
    left: { ab: ab.left, aa: aa.left },
    dimensions,
    fenceViolations: ab.fenceViolations + aa.fenceViolations,
  }
  return {
    from: instant(subject.from),
    to: instant(subject.to),
    orgId: subject.orgId ?? null,
    agentId: subject.agentId ?? null,
    ...summary,
    distributions: distributionsOf(ab),
    sentence: overallSentence({ ...summary, dropped: subject.dropped.reasons, checks }),
    trust: { trusted, checks: checks.map(checkView) },
    outcomes: outcomesOf(ab),
    shadows: { failed: failedOf(ab.candidate) + failedOf(aa.candidate), dropped: droppedOf(subject) },
    confidence: { interval: INTERVAL_CONFIDENCE, report: REPORT_CONFIDENCE },
    ...(subject.contents === undefined ? {} : { samples: subject.contents.map(sampleOf) }),
  }
}

function withVerdict(measured: MeasuredDimension): ShadowReport['dimensions'][number] {
  const { basis, ...rest } = measured
  const verdict = verdictOn(basis, rest.pairs, rest.direction)
  return { ...rest, verdict, sentence: dimensionSentence(measured, verdict) }
}

const outcomesOf = ({ control, candidate, codes }: KindSums): ShadowReport['outcomes'] => ({
  control: { ...control, codes: codes.control },
  candidate: { ...candidate, codes: codes.candidate },
})

/** Every reason, so that a reader sees which did not occur; and those of a newer version. */
const droppedOf = ({ dropped }: ReportSubject): ShadowReport['shadows']['dropped'] => ({
  ...newTally().dropped,
  ...dropped.reasons,
})

const checkView = ({ check, chiSquare, critical }: RatioCheck): ShadowReport['trust']['checks'][number] => ({
  check,
  chiSquare,
  critical,
})

const failedOf = ({ error, timeout }: SideCounts): number => error + timeout

const sampleOf = ({ at, textSimilarity, ...rest }: ComparisonContent) => ({
  ...rest,
  at: instant(at),
  textSimilarity: textSimilarity ?? null,
})
