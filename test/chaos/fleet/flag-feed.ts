import { renameSync, writeFileSync } from 'node:fs'
import { Client, credentials } from '@grpc/grpc-js'
import { flagSyncService } from '../../../src/core/flagd/sync-service.js'

/**
 * Gives the simulated flagd, which reads files alone, what a flagd gets from its sources of provider `grpc`: holds a stream of
 * `flagd.sync.v1` to each replica, and writes what came last into one file.
 * Arguments: the file, then `host:port` of each replica.
 */

const AGAIN_MS = 300
const ALIVE = { 'grpc.keepalive_time_ms': 2000, 'grpc.keepalive_timeout_ms': 1000 } as const

const [file = '', ...addresses] = process.argv.slice(2)
for (const address of addresses) follow(address)
process.stdout.write('{"msg":"listening"}\n')

function follow(address: string): void {
  const client = new Client(address, credentials.createInsecure(), ALIVE)
  const { SyncFlags: method } = flagSyncService
  if (method === undefined) throw new Error('no SyncFlags')
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    {},
  )
  let isOver = false
  const again = (): void => {
    if (isOver) return
    isOver = true
    client.close()
    setTimeout(() => follow(address), AGAIN_MS)
  }
  call.on('data', ({ flagConfiguration }: { flagConfiguration: string }) => {
    writeFileSync(`${file}.new`, flagConfiguration)
    renameSync(`${file}.new`, file)
  })
  call.on('error', again)
  call.on('end', again)
}
