import { relative } from 'node:path'

/** why a mutant was not tested in a run with a sample of them */
export const NOT_SAMPLED = 'not in the sample'

/** @param {readonly import('@stryker-mutator/api/core').MutantResult[]} mutants */
export function resultOf(name, mutants) {
  const isSampled = ({ statusReason }) => statusReason?.includes(NOT_SAMPLED) !== true
  const sampled = mutants.filter(isSampled)
  const count = (...statuses) => sampled.filter(({ status }) => statuses.includes(status)).length
  const noticed = count('Killed', 'Timeout')
  const missed = count('Survived', 'NoCoverage')
  return {
    name,
    noticed,
    /** of those: it never ended */
    endless: count('Timeout'),
    missed,
    /** could not be run; they count for nothing */
    invalid: count('RuntimeError', 'CompileError'),
    /** constants in a quick run, and what is in no sample */
    leftOut: count('Ignored') + mutants.length - sampled.length,
    score: noticed + missed === 0 ? 0 : (noticed / (noticed + missed)) * 100,
    survivors: mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage'),
  }
}

export function table(results) {
  const rows = results.map(
    ({ name, noticed, endless, missed, invalid, leftOut, score }) =>
      `| ${name} | ${noticed + missed} | ${noticed} | ${endless} | ${missed} | ${invalid} | ${leftOut} | ${score.toFixed(1)} % |`,
  )
  return [
    '| module | mutants | noticed | of them endless | not noticed | could not run | left out | score |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** One line for each change that no test noticed. */
export function survivorText({ survivors }) {
  return survivors
    .map(({ fileName, location, mutatorName, replacement, status }) => {
      const file = relative(process.cwd(), fileName)
      const place = `${file}:${location.start.line}:${location.start.column}`
      const untested = status === 'NoCoverage' ? ' (no test gets there)' : ''
      return `${place} ${mutatorName}${untested}: ${replacement.replaceAll(/\s+/g, ' ').slice(0, 100)}`
    })
    .join('\n')
}
