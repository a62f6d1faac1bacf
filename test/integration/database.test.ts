import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { killForked } from '../support/forked.js'
import { lockHolder } from '../support/lock-holder.js'
import { outageRig } from '../support/outage-rig.js'

/** The process while its database is locked by another one, or gone. */
describe('a service without its database', function () {
  this.timeout(60_000)
  afterEach(killForked)
  const { flags, outage } = outageRig()
  const database = (): string => join(flags.folder, 'chat.db')

  it('that another process has locked', async () => {
    const holder = await lockHolder(database())
    await outage(holder.lock, holder.unlock)
  })

  it('that is gone for a while', async () => {
    const move = (from: string, to: string) => async (): Promise<void> => {
      for (const part of ['', '-wal', '-shm'])
        if (existsSync(`${from}${part}`)) renameSync(`${from}${part}`, `${to}${part}`)
    }
    await outage(move(database(), `${database()}.away`), move(`${database()}.away`, database()))
  })
})
