import { relative } from 'node:path'

/** Numbers run along the code: each n-th mutant is a fair sample, of those that no test gets to as well. */
export const isSampled = ({ id }, oneIn) => Number(id) % oneIn === 0

export const isSurvivor = ({ status }) => status === 'Survived' || status === 'NoCoverage'

/** @param {readonly import('@stryker-mutator/api/core').MutantResult[]} mutants */
export function resultOf(name, mutants, { oneIn, isQuick }) {
  const sampled = mutants.filter((mutant) => isSampled(mutant, oneIn))
  const count = (...statuses) => sampled.filter(({ status }) => statuses.includes(status)).length
  const noticed = count('Killed', 'Timeout')
  const missed = count('Survived', 'NoCoverage')
  const parts = [...(isQuick ? ['quick'] : []), ...(oneIn === 1 ? [] : [`1 in ${oneIn}`])]
  return {
    name,
    /** how much of it was run */
    run: parts.length === 0 ? 'whole' : parts.join(', '),
    noticed,
    /** of those: it never ended */
    endless: count('Timeout'),
    missed,
    /** could not be run; they count for nothing */
    invalid: count('RuntimeError', 'CompileError'),
    /** constants in a quick run, and what is in no sample */
    leftOut: count('Ignored') + mutants.length - sampled.length,
    score: noticed + missed === 0 ? 0 : (noticed / (noticed + missed)) * 100,
    survivors: sampled.filter(isSurvivor),
  }
}

export function table(results) {
  const rows = results.map(
    ({ name, run, noticed, endless, missed, invalid, leftOut, score }) =>
      `| ${name} | ${run} | ${noticed + missed} | ${noticed} | ${endless} | ${missed} | ${invalid} | ${leftOut} | ${score.toFixed(1)}% |`,
  )
  return [
    '| module | run | mutants | noticed | of them endless | not noticed | could not run | left out | score |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** One line for each change that no test noticed. */
export const survivorText = ({ survivors }) => survivors.map(placeOf).join('\n')

export function placeOf({ fileName, location, mutatorName, replacement, status }) {
  const file = relative(process.cwd(), fileName)
  const place = `${file}:${location.start.line}:${location.start.column}`
  const untested = status === 'NoCoverage' ? ' (no test gets there)' : ''
  return `${place} ${mutatorName}${untested}: ${replacement.replaceAll(/\s+/g, ' ').slice(0, 100)}`
}
