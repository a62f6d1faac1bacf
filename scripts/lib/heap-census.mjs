// What a heap holds, by constructor: two of them show what grew between.

/** Takes a snapshot after a collection. @returns {Promise<Map<string, {count: number, bytes: number}>>} by kind and name */
export async function heapCensus(protocol) {
  const chunks = []
  const take = ({ chunk }) => chunks.push(chunk)
  protocol.on('HeapProfiler.addHeapSnapshotChunk', take)
  await protocol.send('HeapProfiler.collectGarbage')
  await protocol.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  protocol.off('HeapProfiler.addHeapSnapshotChunk', take)
  const { snapshot, nodes, strings } = JSON.parse(chunks.join(''))
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field))
  const census = new Map()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[type][nodes[at + type]]
    // Strings by their kind alone: each has a name of its own.
    const isText = kind === 'string' || kind === 'concatenated string' || kind === 'sliced string'
    const key = isText ? `(${kind})` : `${kind} ${strings[nodes[at + name]].slice(0, 60)}`
    const one = census.get(key) ?? { count: 0, bytes: 0 }
    one.count += 1
    one.bytes += nodes[at + size]
    census.set(key, one)
  }
  return census
}

/** The kinds whose bytes differ most, those that grew first. */
export function grown(before, after, most = 20) {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((key) => {
      const [a, b] = [before.get(key), after.get(key)].map((one) => one ?? { count: 0, bytes: 0 })
      return { key, count: b.count - a.count, bytes: b.bytes - a.bytes }
    })
    .filter(({ bytes }) => bytes !== 0)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, most)
}
