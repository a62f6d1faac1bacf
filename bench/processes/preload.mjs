// Loaded into every measured process: answers its own CPU time and memory over IPC, the same way for ours and the floors.
import cluster from 'node:cluster'

process.on('message', (question) => {
  if (question === 'gc') globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMicros: user + system, rssBytes: process.memoryUsage().rss })
})
// A worker lives by its channel to the primary.
if (!cluster.isWorker) process.channel?.unref()
