import { spawnSync } from 'node:child_process'

/** A network namespace of its own, on the network of one drill. */
export interface Node {
  readonly name: string
  readonly address: string
  /** a command that runs the command after it there, and becomes it */
  readonly through: readonly string[]
}

/** What a link does not carry: packets of both directions, or only those from the first node to the second. */
export type Cut = 'both ways' | 'one way'

/** of the rules of the router; those of the system have 0 and from 32766 on */
const RULE = '100'

/**
 * Namespaces joined by one router, each by a line of its own. A cut link loses its packets without a word, as a broken line
 * does: nobody is told that an address is out of reach. The harness reaches every node, whatever is cut.
 */
export class Network {
  readonly #id: string
  readonly #subnet: string
  readonly #nodes = new Map<string, Node>()
  #cuts: string[][] = []
  readonly #release = (): void => this.close()

  private constructor(id: string, octet: number) {
    this.#id = id
    this.#subnet = `10.${octet}`
  }

  /** Why this machine has no such network; `""` where it has. */
  static refused(): string {
    const name = `cc-try-${process.pid}`
    const failed = run(['netns', 'add', name])
    if (failed !== '') return `needs root and network namespaces (${failed})`
    const rule = run(['-n', name, 'rule', 'add', 'pref', RULE, 'to', '10.0.0.1', 'blackhole'])
    run(['netns', 'del', name])
    return rule === '' ? '' : `needs rules for routes (${rule})`
  }

  /** @throws what `ip` says */
  static open(names: readonly string[]): Network {
    // Not the addresses of a network that another run has.
    const network = new Network(`cc${process.pid}`, 100 + Math.floor(Math.random() * 100))
    process.once('exit', network.#release)
    try {
      network.#build(names)
    } catch (thrown) {
      network.close()
      throw thrown
    }
    return network
  }

  node(name: string): Node {
    const found = this.#nodes.get(name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  cut(from: string, to: string, how: Cut): void {
    this.#cut(from, to)
    if (how === 'both ways') this.#cut(to, from)
  }

  /** Every link is whole again. */
  heal(): void {
    const cuts = this.#cuts
    this.#cuts = []
    for (const rule of cuts) must(['-n', this.#router, 'rule', 'del', ...rule])
  }

  close(): void {
    process.off('exit', this.#release)
    for (const { name } of this.#nodes.values()) run(['netns', 'del', this.#namespace(name)])
    run(['netns', 'del', this.#router])
    run(['link', 'del', `${this.#id}-0`])
  }

  #cut(from: string, to: string): void {
    const rule = ['pref', RULE, 'iif', `to-${from}`, 'to', this.node(to).address, 'blackhole']
    must(['-n', this.#router, 'rule', 'add', ...rule])
    this.#cuts.push(rule)
  }

  get #router(): string {
    return this.#namespace('router')
  }

  #namespace(name: string): string {
    return `${this.#id}-${name}`
  }

  #build(names: readonly string[]): void {
    must(['netns', 'add', this.#router])
    const forward = spawnSync('ip', ['netns', 'exec', this.#router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    if (forward.status !== 0) throw new Error(`the router does not forward: ${forward.stderr}`)
    const own = this.#line('harness', 0)
    must(['link', 'set', own, 'up'])
    must(['addr', 'add', `${this.#subnet}.0.2/24`, 'dev', own])
    must(['route', 'add', `${this.#subnet}.0.0/16`, 'via', `${this.#subnet}.0.1`])
    for (const [at, name] of names.entries()) {
      const space = this.#namespace(name)
      const address = `${this.#subnet}.${at + 1}.2`
      must(['netns', 'add', space])
      this.#nodes.set(name, { name, address, through: ['ip', 'netns', 'exec', space] })
      must(['link', 'set', this.#line(name, at + 1), 'netns', space, 'name', 'line'])
      const inside = (...words: string[]): void => must(['-n', space, ...words])
      inside('addr', 'add', `${address}/24`, 'dev', 'line')
      inside('link', 'set', 'line', 'up')
      inside('link', 'set', 'lo', 'up')
      inside('route', 'add', 'default', 'via', `${this.#subnet}.${at + 1}.1`)
    }
  }

  /** A line from the router to a node; gives the name of its other end, which is with the harness at first. */
  #line(name: string, at: number): string {
    const end = `${this.#id}-${at}`
    must(['link', 'add', `to-${name}`, 'netns', this.#router, 'type', 'veth', 'peer', 'name', end])
    must(['-n', this.#router, 'addr', 'add', `${this.#subnet}.${at}.1/24`, 'dev', `to-${name}`])
    must(['-n', this.#router, 'link', 'set', `to-${name}`, 'up'])
    return end
  }
}

function must(words: readonly string[]): void {
  const failed = run(words)
  if (failed !== '') throw new Error(`ip ${words.join(' ')}: ${failed}`)
}

/** `""`, or what `ip` says. */
function run(words: readonly string[]): string {
  const { status, stderr, error } = spawnSync('ip', [...words], { encoding: 'utf8' })
  if (error !== undefined) return error.message
  return status === 0 ? '' : stderr.trim().split('\n').at(-1) || `status ${status}`
}
