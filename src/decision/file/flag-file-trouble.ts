import type { FaultFound } from '../flag-faults.js'
import { LOOK_MS, type Trouble } from './flag-file.js'

/** What a flag file's trouble is called in the status and the log; none: nothing is wrong (any more). */
export function troubleFaults(path: string, trouble: Trouble | undefined): FaultFound[] {
  return trouble === undefined ? [] : [{ where: path, message: message(trouble) }]
}

function message(trouble: Trouble): string {
  switch (trouble.kind) {
    case 'late':
      return `it was not read within ${LOOK_MS} ms; is its file system hanging? What was read before stays in force, then code defaults`
    case 'listener':
      return `what was read could not be taken over by a fault of this service (${trouble.error}); what was in force stays`
  }
}
