// Loaded into every measured process: answers its own CPU time and memory over IPC, the same way for ours and the floors.
import cluster from 'node:cluster'

/** ms between two collections: what the first one frees outside of the heap is given back in between */
const PAUSE_MS = 500

process.on('message', (question) => {
  if (question !== 'gc') return answer()
  globalThis.gc?.()
  setTimeout(() => {
    globalThis.gc?.()
    answer()
  }, PAUSE_MS)
})

function answer() {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, heapTotal } = process.memoryUsage()
  process.send?.({ cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed, heldBytes: heapTotal })
}
// A worker lives by its channel to the primary.
if (!cluster.isWorker) process.channel?.unref()
