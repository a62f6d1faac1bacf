// Loaded into every measured process: answers its own CPU time and memory over IPC, the same way for ours and the floors.
process.on('message', (question) => {
  if (question === 'gc') globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMicros: user + system, rssBytes: process.memoryUsage().rss })
})
process.channel?.unref()
