import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { createFileFlagStore } from '../../src/store/file/file-flag-store.js'
import {
  createMemoryFiles,
  createMemoryFlagStore,
  type MemoryFiles,
} from '../../src/store/file/memory-flag-store.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { flagStoreContract } from './flag-store-contract.js'

const NAMES = { override: 'auto-fallback.flagd.json', lease: 'auto-fallback.lease.json' } as const

describe('the flag store on a disk', () => {
  const directory = temporaryDirectory()
  let opened = 0
  const textOf = (name: string): string | undefined =>
    readdirSync(directory.path()).includes(name) ? readFileSync(directory.path(name), 'utf8') : undefined
  flagStoreContract(() => ({
    open() {
      opened += 1
      return createFileFlagStore(directory.path(NAMES.override), { clock: systemClock, nonce: `n-${opened}` })
    },
    put: (file, text) =>
      text === undefined
        ? rmSync(directory.path(NAMES[file]))
        : writeFileSync(directory.path(NAMES[file]), text),
    get: (file) => textOf(NAMES[file]),
    keptAside: () =>
      readdirSync(directory.path())
        .filter((name) => name.startsWith(`${NAMES.override}.unreadable-`))
        .sort()
        .map((name) => textOf(name) ?? ''),
  }))
})

describe('the flag store in memory', () => {
  let files: MemoryFiles
  beforeEach(() => {
    files = createMemoryFiles()
  })
  flagStoreContract(() => ({
    open: () => createMemoryFlagStore(files),
    put: (file, text) => {
      files[file] = text
    },
    get: (file) => files[file],
    keptAside: () => files.keptAside,
  }))

  it('has the faults that a test gives it', async () => {
    const fault = { code: 'ENOSPC', message: 'full' }
    const store = createMemoryFlagStore(files, { fault: (call) => (call === 'write' ? fault : undefined) })
    expect(await store.write('x', 'missing')).to.deep.equal({ kind: 'failed', fault })
    expect(await store.writeLease('x', 'missing')).to.deep.equal({ kind: 'failed', fault })
    expect(await store.read()).to.deep.equal({ kind: 'missing' })
  })
})
