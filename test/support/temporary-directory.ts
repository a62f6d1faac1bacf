import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for one `describe`: made before each test, removed with all that is in it after each. */
export function temporaryDirectory(): { path(...names: string[]): string } {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'chat-cutover-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))
  return { path: (...names) => join(directory, ...names) }
}
