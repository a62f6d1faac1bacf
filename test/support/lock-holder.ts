import { expect } from 'chai'
import { forked } from './forked.js'

/** Another process that holds the write lock of a database for as long as it is told to. */
export interface LockHolder {
  lock(): Promise<void>
  unlock(): Promise<void>
  kill(): Promise<void>
}

/** Resolves once the process is ready, the lock not yet taken. `killForked` ends it too. */
export async function lockHolder(database: string): Promise<LockHolder> {
  const holder = forked('test/sessions/lock-process.mjs', [database])
  const order = (command: 'lock' | 'unlock') => async (): Promise<void> => {
    holder.send(command)
    expect(await holder.message()).to.equal(`${command}ed`)
  }
  expect(await holder.message()).to.equal('ready')
  return { lock: order('lock'), unlock: order('unlock'), kill: holder.kill }
}
