import type { Clock } from '../../core/clock.js'
import { checkFlagDocument, isRefusing } from '../check/ops-file-check.js'
import type { FlagFaults } from '../flag-faults.js'
import type { FlagFileKind } from '../flags.js'
import type { FlagDocument, FlagFileContent } from '../read-flag-file.js'
import { FlagFile, type Reception } from './flag-file.js'
import { troubleFaults } from './flag-file-trouble.js'

/**
 * Checks a flag file that flagd serves, where it can be read on this machine too: flagd and its provider refuse a wrong
 * one as a whole and in silence, so its faults are named here, with their lines. A file that is not here is no fault.
 * The same holds for a document of the flag store that flagd gets from this service.
 * `onGood` hears of each content without one.
 */
export function monitorFlagFile(
  source: string | FlagDocument,
  kind: FlagFileKind,
  clock: Clock,
  faults: FlagFaults,
  onGood: (text: string) => void = () => {},
): FlagFile {
  const path = typeof source === 'string' ? source : source.name
  const onContent = (content: FlagFileContent, settled: boolean): Reception => {
    const issues =
      content.kind === 'text'
        ? checkFlagDocument(content.text, kind).filter(({ severity }) => severity === 'error')
        : []
    const isRefused = issues.some(isRefusing)
    if (isRefused && !settled) return 'doubtful'
    faults.replace(
      `file:${kind}`,
      issues.map(({ line, path: at, message, refuses }) => ({
        where: path,
        line,
        message: `${at === '' ? '' : `${at}: `}${message}; ${
          refuses === 'nothing'
            ? 'it is in force as written'
            : 'flags served before stay in force, then code defaults'
        }`,
      })),
    )
    if (content.kind === 'text' && !isRefused) onGood(content.text)
    return 'taken'
  }
  return new FlagFile({
    path,
    ...(typeof source === 'string' ? {} : { document: source }),
    clock,
    onContent,
    onTrouble: (trouble) => faults.replace(`look:${kind}`, troubleFaults(path, trouble)),
  })
}
