import { type RedisLink, type RedisReply, RedisUnavailable } from '../../../src/core/redis/redis-link.js'

/** As much of Redis as the evidence of all replicas needs: one stream whose ids are of a clock of its own. */
export function memoryLink() {
  const entries: { readonly id: string; readonly fields: readonly string[] }[] = []
  /** `held`: calls are answered once it resolves */
  const state = { isUp: true, now: 5_000_000, held: undefined as Promise<void> | undefined }
  const call = (command: string | undefined, args: readonly string[]): RedisReply => {
    if (command === 'XADD') {
      const star = args.indexOf('*')
      const id = `${state.now}-${entries.length}`
      entries.push({ id, fields: args.slice(star + 1) })
      return id
    }
    if (command === 'XRANGE') {
      const after = entries.findIndex(({ id }) => `(${id}` === args[1])
      return entries.slice(after + 1).map(({ id, fields }) => [id, fields])
    }
    return 1
  }
  const link: RedisLink = {
    get isUp() {
      return state.isUp
    },
    failures: 0,
    prefix: 'test',
    start: () => undefined,
    async call(_key, ...[command, ...args]) {
      if (!state.isUp) throw new RedisUnavailable('away')
      if (state.held !== undefined) await state.held
      return call(command, args)
    },
    publish: async () => undefined,
    subscribe: () => () => undefined,
    onUp: () => () => undefined,
    close: async () => undefined,
  }
  return { link, state }
}
