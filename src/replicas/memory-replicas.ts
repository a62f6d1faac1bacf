import type { ReplicaTable, SeenReplica } from './replicas.js'

/** Without a database a replica knows itself alone. */
export function createMemoryReplicas(): ReplicaTable {
  const seen = new Map<string, SeenReplica>()
  return {
    async exchange(own, now, forgetBefore, limit) {
      seen.set(own.name, { ...own, firstSeen: seen.get(own.name)?.firstSeen ?? now, lastSeen: now })
      for (const [name, { lastSeen }] of seen) if (lastSeen < forgetBefore) seen.delete(name)
      return [...seen.values()].sort((a, b) => b.lastSeen - a.lastSeen).slice(0, limit)
    },
    close: () => undefined,
  }
}
