import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below what systems hand out by themselves (Linux from 32768, others from 49152): a server that is killed and started again must
 * find its port free. From that range another process, or a mere connection, could have been given it.
 */
const [FIRST, LAST] = [20_000, 32_000]
const TRIES = 100
/** Each process that runs tests has ports of its own: one that is given is bound a little later, and another could get it meanwhile. */
const SLICES = 8
const SLICE = (LAST - FIRST) / SLICES
const OURS = FIRST + SLICE * (Number(process.env.MOCHA_WORKER_ID ?? 0) % SLICES)
/** for the same reason none is given twice */
const given = new Set<number>()

/** A port that nobody listens on, nor on the one above it (a simulated flagd's control port). */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = OURS + 2 * Math.floor((Math.random() * SLICE) / 2)
    if (given.has(port)) continue
    given.add(port)
    if ((await isFree(port)) && (await isFree(port + 1))) return port
  }
  throw new Error(`no free port from ${OURS} to ${OURS + SLICE} in ${TRIES} tries`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}
