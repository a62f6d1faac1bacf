import { createClient, createCluster, createSentinel, ErrorReply } from '@redis/client'
import { type RedisConnection, RedisRefused } from './redis-link.js'
import type { RedisAddress } from './redis-url.js'

/** ms for a connection to one server */
const CONNECT_MS = 2_000
/** ms between two looks of a client of Sentinels for another master */
const SCAN_MS = 1_000
/** calls that may wait within the client; the link refuses earlier */
const QUEUE = 50_000

/** The only file that knows node-redis. Nothing is queued while there is no connection. */
export function nodeRedis(address: RedisAddress): RedisConnection {
  switch (address.kind) {
    case 'single':
      return single(address)
    case 'sentinel':
      return behindSentinels(address)
    case 'cluster':
      return inCluster(address)
  }
}

function optionsOf({ tls, username, password }: RedisAddress) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: QUEUE,
    disableClientInfo: true,
    socket: { connectTimeout: CONNECT_MS, ...(tls ? { tls: true as const } : {}) },
  }
}

/** Two connections: one that has subscribed takes no other commands. Neither reconnects: the link replaces both. */
function single(address: RedisAddress): RedisConnection {
  const [node] = address.nodes
  const { socket, ...options } = optionsOf(address)
  const client = createClient({
    ...options,
    RESP: 2,
    database: address.database,
    socket: { ...socket, host: node?.host, port: node?.port, reconnectStrategy: false },
  })
  const hearing = client.duplicate()
  let isBroken = false
  for (const one of [client, hearing]) {
    // Without a listener an error would end the process; the calls under way tell it.
    one.on('error', () => {
      isBroken = true
    })
    one.on('end', () => {
      isBroken = true
    })
  }
  return {
    get isBroken() {
      return isBroken
    },
    connect: async () => {
      await Promise.all([client.connect(), hearing.connect()])
    },
    send: (_key, args) => refusing(client.sendCommand(args)),
    publish: async (channel, message) => {
      await refusing(client.publish(channel, message))
    },
    subscribe: (channel, listener) => hearing.subscribe(channel, listener),
    unsubscribe: (channel) => hearing.unsubscribe(channel),
    destroy: () => {
      for (const one of [client, hearing]) if (one.isOpen) one.destroy()
    },
  }
}

function behindSentinels(address: RedisAddress): RedisConnection {
  const { socket, ...options } = optionsOf(address)
  const sentinel = createSentinel({
    name: address.master ?? '',
    RESP: 2,
    sentinelRootNodes: address.nodes.map(({ host, port }) => ({ host, port })),
    nodeClientOptions: { ...options, database: address.database, socket },
    // Sentinels have passwords of their own, if any; they are reached in the same way.
    sentinelClientOptions: { socket },
    scanInterval: SCAN_MS,
    passthroughClientErrorEvents: true,
  })
  sentinel.on('error', () => undefined)
  return {
    isBroken: false,
    connect: async () => {
      await sentinel.connect()
    },
    send: (_key, args) => refusing(sentinel.sendCommand(false, [...args])),
    publish: async (channel, message) => {
      await refusing(sentinel.sendCommand(false, ['PUBLISH', channel, message]))
    },
    subscribe: async (channel, listener) => {
      await sentinel.subscribe(channel, listener)
    },
    unsubscribe: async (channel) => {
      await sentinel.unsubscribe(channel)
    },
    destroy: () => {
      sentinel.destroy().catch(() => undefined)
    },
  }
}

function inCluster(address: RedisAddress): RedisConnection {
  const { socket, ...options } = optionsOf(address)
  const cluster = createCluster({
    RESP: 2,
    rootNodes: address.nodes.map(({ host, port }) => ({ socket: { ...socket, host, port } })),
    defaults: { ...options, socket },
  })
  cluster.on('error', () => undefined)
  return {
    isBroken: false,
    connect: async () => {
      await cluster.connect()
    },
    send: (key, args) => refusing(cluster.sendCommand(key, false, [...args])),
    publish: async (channel, message) => {
      await refusing(cluster.sendCommand(channel, false, ['PUBLISH', channel, message]))
    },
    subscribe: (channel, listener) => cluster.subscribe(channel, listener),
    unsubscribe: (channel) => cluster.unsubscribe(channel),
    destroy: () => cluster.destroy(),
  }
}

/** What the server refused is told apart from what never reached it. */
async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    throw thrown instanceof ErrorReply ? new RedisRefused(thrown.message) : thrown
  }
}
