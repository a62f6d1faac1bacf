import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SignJWT } from 'jose'
import { errorText } from '../core/errors.js'
import { type Child, ended, freePort, START_TIMEOUT_MS, serviceLog, startChild } from './demo-children.js'
import { type DemoFacts, demoGuide, demoShell } from './demo-guide.js'
import { DEMO_ORGS, type DemoTraffic, startTraffic } from './demo-traffic.js'
import { usageText } from './text/cause-text.js'
import { type Language, sayIn, type Text } from './text/language.js'
import { type Output, processOutput } from './text/output.js'

const HELP: Text = {
  en: `chat-cutover demo: the whole service on this machine, with simulated LLM and runtime. No key, no daemon, no Docker.

Usage: chat-cutover demo [options]

Options:
  --data DIR     where flags, conversations, the secret and DIR/env live (default data/demo); kept between runs
  --fresh        takes away first what an earlier demo left in DIR
  --no-traffic   sends no turns of its own; default: those of ten organisations
  --port P       the service's port (default 3001, or a free one when that is taken); 0 takes a free one
  -h, --help     this text

In another terminal \`. DIR/env\` sets addresses and tokens for every command. Ctrl-C ends everything.

Exit code: 0 ended, 1 could not start, 2 wrong usage.
`,
  'zh-CN': `chat-cutover demo：在本机运行整套服务，LLM 与 runtime 为模拟器。不需要密钥、守护进程或 Docker。

用法：chat-cutover demo [选项]

选项：
  --data DIR     flag 文件、对话、密钥与 DIR/env 所在目录（默认 data/demo），重启后保留
  --fresh        先清除上次演示留在 DIR 中的内容
  --no-traffic   不发送模拟流量；默认模拟十个组织的用户
  --port P       服务端口（默认 3001，被占用时取空闲端口）；0 表示取空闲端口
  -h, --help     本说明

在另一个终端执行 \`. DIR/env\`，即为所有命令设置地址与令牌。按 Ctrl-C 结束全部进程。

退出码（Exit code: 0 / 1 / 2）：0 已结束，1 无法启动，2 用法错误。
`,
}

const DIST = fileURLToPath(new URL('..', import.meta.url))
const SHIPPED_FLAGS = fileURLToPath(new URL('../../flags', import.meta.url))
const FLAG_FILES = ['chat.flagd.json', 'auto-fallback.flagd.json'] as const
const DEMO_ORG = 'acme'
/** of the ten; the others stay with the direct LLM */
const RUNTIME_ORGS = [DEMO_ORG, 'globex', 'initech', 'umbrella'] as const
/** With what the service keeps beside them, what was kept aside, and copies made by way of the runbook. */
const DEMO_FILES = /^(\.?(chat\.flagd|auto-fallback)\.|chat\.(db|before)|\.override|jwt-secret$|env$)/
/** Addresses and tokens for another terminal. */
const SHELL_FILE = 'env'

/** Starts simulators and service as processes of their own and prints what to paste. Resolves when all have ended. */
export async function runDemo(
  argv: readonly string[],
  output: Output = processOutput,
  language: Language = 'en',
): Promise<number> {
  const t = sayIn(language)
  const options = demoOptions(argv, output, language)
  if (typeof options === 'number') return options
  const { data } = options
  const running = await runningDemo(data)
  if (running !== undefined) {
    output.err(
      t(
        `A demo runs on ${data} already, at ${running}: end that one first, or give another --data\n`,
        `${data} 上已有演示在运行（${running}）：请先结束它，或用 --data 指定其他目录\n`,
      ),
    )
    return 1
  }
  if (options.fresh) emptyData(data)
  prepareData(data)
  const secret = demoSecret(join(data, 'jwt-secret'))
  const children: ChildProcess[] = []
  let traffic: DemoTraffic | undefined
  const stop = (): void => {
    for (const child of children) child.kill('SIGTERM')
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    const llm = await startSimulator('llm', 8001, children)
    const runtime = await startSimulator('runtime', 8000, children)
    const service = await startService(options, secret, { llm: llm.url, runtime: runtime.url }, children)
    const tokens = { member: await token(secret, 'member'), admin: await token(secret, 'admin') }
    await firstTurn(service.url, tokens.member)
    const facts: DemoFacts = {
      url: service.url,
      tokens,
      org: DEMO_ORG,
      folder: relative(process.cwd(), data) || '.',
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
    }
    writeFileSync(join(data, SHELL_FILE), demoShell(facts), { mode: 0o600 })
    output.out(demoGuide(facts, language))
    traffic = options.traffic ? startTraffic(service.url, await orgTokens(secret), Math.random) : undefined
    await ended(service.process)
  } catch (error) {
    output.err(t(`The demo could not start: ${errorText(error)}\n`, `演示无法启动：${errorText(error)}\n`))
    return 1
  } finally {
    await traffic?.stop()
    stop()
    await Promise.all(children.map(ended))
  }
  return 0
}

interface DemoOptions {
  readonly data: string
  readonly fresh: boolean
  readonly port: number
  readonly traffic: boolean
}

/** The options, or the exit code where there is nothing to start. */
function demoOptions(argv: readonly string[], output: Output, language: Language): DemoOptions | number {
  const t = sayIn(language)
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        data: { type: 'string', default: join('data', 'demo') },
        fresh: { type: 'boolean', default: false },
        port: { type: 'string', default: '3001' },
        'no-traffic': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      output.out(HELP[language])
      return 0
    }
    if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535)
      throw new Error(
        t(
          `--port must be a number from 0 to 65535, not ${values.port}`,
          `--port 必须是 0 到 65535 的数字，而不是 ${values.port}`,
        ),
      )
    return {
      data: values.data,
      fresh: values.fresh,
      port: Number(values.port),
      traffic: !values['no-traffic'],
    }
  } catch (error) {
    output.err(`${usageText(error, t)}\n${t('Try: ', '请参阅：')}chat-cutover demo --help\n`)
    return 2
  }
}

/** The address of a demo that works on this folder now: it takes the token that its shell file has. */
async function runningDemo(data: string): Promise<string | undefined> {
  const file = join(data, SHELL_FILE)
  const shell = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const [url, bearer] = [/\bCHAT_URL=(\S+)/, /\bCHAT_TOKEN=(\S+)/].map((value) => value.exec(shell)?.[1])
  if (url === undefined || bearer === undefined) return undefined
  try {
    const { ok } = await fetch(`${url}/api/v1/runtime/flags`, {
      headers: { authorization: `Bearer ${bearer}` },
      signal: AbortSignal.timeout(1000),
    })
    return ok ? url : undefined
  } catch {
    return undefined
  }
}

/** Takes away what a demo left there, and nothing else: DIR may be a folder with more in it. */
function emptyData(data: string): void {
  if (!existsSync(data)) return
  for (const name of readdirSync(data))
    if (DEMO_FILES.test(name)) rmSync(join(data, name), { force: true, recursive: true })
}

/**
 * Guardrails of the demo, where the shipped ones would have a visitor wait: who looks on sees a fallback and its recovery within
 * two minutes.
 */
const QUICKER = { holdSeconds: 10, recoveryShadowPercent: 50, rampStepSeconds: 10 } as const

/** The flag files are copied once: edits survive the next run, and the repository's own stay as they are. */
function prepareData(data: string): void {
  mkdirSync(data, { recursive: true })
  for (const file of FLAG_FILES) {
    const copy = join(data, file)
    if (!existsSync(copy)) writeFileSync(copy, quicker(readFileSync(join(SHIPPED_FLAGS, file), 'utf8')))
  }
}

const quicker = (text: string): string =>
  Object.entries(QUICKER).reduce(
    (all, [name, value]) => all.replace(new RegExp(`("${name}": )\\d+`), `$1${value}`),
    text,
  )

/** Kept between runs, so that a token pasted yesterday still works. */
function demoSecret(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}

function token(secret: string, role: 'member' | 'admin', org: string = DEMO_ORG): Promise<string> {
  return new SignJWT({ org_id: org, role })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(`demo-${role}`)
    .setIssuedAt()
    .setExpirationTime('7d')
    .sign(new TextEncoder().encode(secret))
}

async function orgTokens(secret: string): Promise<ReadonlyMap<string, string>> {
  return new Map(
    await Promise.all(DEMO_ORGS.map(async (org) => [org, await token(secret, 'member', org)] as const)),
  )
}

async function startSimulator(
  kind: 'llm' | 'runtime',
  preferredPort: number,
  children: ChildProcess[],
): Promise<Child> {
  const port = await freePort(preferredPort)
  const script = join(DIST, 'simulator', 'main.js')
  const args = [script, kind, '--port', String(port)]
  return startChild(kind, { args, env: process.env, passesOn: () => true }, children)
}

async function startService(
  options: DemoOptions,
  secret: string,
  urls: { readonly llm: string; readonly runtime: string },
  children: ChildProcess[],
): Promise<Child> {
  const port = await freePort(options.port)
  const log = serviceLog(process.env.LOG_LEVEL ?? 'info')
  const env = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: String(port),
    LOG_LEVEL: log.level,
    JWT_SECRET: secret,
    LLM_BASE_URL: `${urls.llm}/v1`,
    LLM_MODEL: 'simulated',
    RUNTIME_SERVICE_URL: urls.runtime,
    CHAT_RUNTIME_ENABLED_ORGS: RUNTIME_ORGS.join(','),
    CHAT_DEMO: 'true',
    CHAT_FLAGS_FILE: join(options.data, FLAG_FILES[0]),
    CHAT_FALLBACK_FLAGS_FILE: join(options.data, FLAG_FILES[1]),
    CHAT_DATABASE: join(options.data, 'chat.db'),
    CHAT_LAMEDUCK_MS: '0',
    CHAT_DRAIN_MS: '5000',
  }
  return startChild('service', { args: [join(DIST, 'main.js')], env, passesOn: log.passesOn }, children)
}

/** One real turn: what the guide says to try works, and there is a conversation to show. */
async function firstTurn(url: string, bearer: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/chat/start`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ agentId: 'assistant', message: 'Hello' }),
    signal: AbortSignal.timeout(START_TIMEOUT_MS),
  })
  const events = await response.text()
  if (!response.ok) throw new Error(`the first turn failed with ${response.status}: ${events}`)
}
