import { spawn } from 'node:child_process'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
} from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCode, errorText } from '../core/errors.js'
import { checkFlagDocument } from '../decision/check/ops-file-check.js'
import type { FlagFileKind } from '../decision/flags.js'
import { checkEndpoints } from './doctor-llm.js'
import { clockFinding, type Finding } from './finding.js'
import type { Environment, Invocation } from './invocation.js'
import { probeUrl } from './probe-url.js'
import { oneLine, printable } from './table.js'

/** Where a variable of the service is set, so is the service, most likely: then its surroundings are checked too. */
const SERVICE_VARIABLES = ['JWT_SECRET', 'JWKS_URL', 'LLM_BASE_URL', 'CHAT_LLM_FILE', 'RUNTIME_SERVICE_URL']

export const isServiceHere = (env: Environment): boolean => SERVICE_VARIABLES.some((name) => env[name])

/** Checks of what the service of this environment would need: nothing is changed. @param env with the `.env` file */
export async function checkHere(invocation: Invocation, env: Environment): Promise<Finding[]> {
  const found = await Promise.all([
    checkConfiguration(invocation),
    checkFlagFiles(env, invocation),
    checkFlagd(env, invocation),
    checkRuntime(env, invocation),
    checkEndpoints(env, invocation),
    checkDatabase(env, invocation),
  ])
  return found.flat()
}

/** ms until the process that reads the configuration is given up */
const CONFIG_MS = 15_000

/** By the service itself: it reads the environment, says what is wrong and ends. */
async function checkConfiguration({ t, env, interrupted }: Invocation): Promise<Finding> {
  const check = t('configuration', '配置')
  const compiled = fileURLToPath(new URL('../main.js', import.meta.url))
  const script = existsSync(compiled) ? compiled : fileURLToPath(new URL('../main.ts', import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, script, '--check'], {
    env: { ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: AbortSignal.any([interrupted(), AbortSignal.timeout(CONFIG_MS)]),
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(errorText(error)))
    child.once('close', (ended, signal) => resolve(ended ?? String(signal)))
  })
  if (code === 0) return { check, result: 'ok', text: t('the environment is complete', '环境变量完整') }
  return {
    check,
    result: 'fault',
    text: printable(said.trim() || String(code)),
    advice: t(
      'Set what is named; .env.example explains each variable',
      '请设置上述变量，说明见 .env.example',
    ),
  }
}

function checkFlagFiles(env: Environment, invocation: Invocation): Finding[] {
  const files: readonly (readonly [file: string, kind: FlagFileKind])[] = [
    [env.CHAT_FLAGS_FILE || 'flags/chat.flagd.json', 'ops'],
    [env.CHAT_FALLBACK_FLAGS_FILE || 'flags/auto-fallback.flagd.json', 'override'],
  ]
  return files.map(([file, kind]) => checkFlagFile(file, kind, env, invocation))
}

function checkFlagFile(file: string, kind: FlagFileKind, env: Environment, { t }: Invocation): Finding {
  const check = kind === 'ops' ? t("operators' flags", '运维 flag') : t('override', '覆盖 flag')
  try {
    const issues = checkFlagDocument(readFileSync(file, 'utf8'), kind)
    if (kind === 'override') accessSync(dirname(file), constants.W_OK)
    const [first] = issues
    if (first === undefined) return { check, result: 'ok', text: file }
    return {
      check,
      result: issues.some(({ severity }) => severity === 'error') ? 'fault' : 'warning',
      text: `${file}:${first.line}:${first.column}: ${oneLine(first.message)}`,
      advice: t(
        `chat-cutover flags validate tells all ${issues.length}`,
        `chat-cutover flags validate 可列出全部 ${issues.length} 项`,
      ),
    }
  } catch (thrown) {
    const isElsewhere = kind === 'ops' && (env.FLAGD_RESOLVER ?? 'file') !== 'file'
    const why = errorCode(thrown) ?? errorText(thrown)
    return {
      check,
      result: isElsewhere ? 'skipped' : 'fault',
      text: `${file}: ${why}`,
      advice: t(
        'Copy the shipped file of that name from flags/ into a directory that the service may write',
        '请将随附 flags/ 中的同名文件复制到服务可写的目录',
      ),
    }
  }
}

/** flagd's own ports: sync for `in-process`, evaluation for `rpc`. */
const FLAGD_PORTS: Readonly<Record<string, number>> = { 'in-process': 8015, rpc: 8013 }
const CONNECT_MS = 3_000

async function checkFlagd(env: Environment, { t }: Invocation): Promise<Finding[]> {
  const preset = FLAGD_PORTS[env.FLAGD_RESOLVER ?? 'file']
  if (preset === undefined) return []
  const [host, port] = [env.FLAGD_HOST || 'localhost', Number(env.FLAGD_PORT) || preset]
  const why = await connectionFault(host, port)
  if (why === undefined)
    return [
      {
        check: 'flagd',
        result: 'ok',
        text: t(`${host}:${port} takes connections`, `${host}:${port} 可连接`),
      },
    ]
  return [
    {
      check: 'flagd',
      result: 'fault',
      text: `${host}:${port}: ${why}`,
      advice: t(
        'Start flagd, or correct FLAGD_HOST and FLAGD_PORT; until then the last good values hold',
        '请启动 flagd，或修正 FLAGD_HOST 与 FLAGD_PORT；在此之前沿用上次有效的取值',
      ),
    },
  ]
}

function connectionFault(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS })
    const end = (why: string | undefined): void => {
      socket.destroy()
      resolve(why)
    }
    socket.once('connect', () => end(undefined))
    socket.once('timeout', () => end(`no connection within ${CONNECT_MS / 1000} s`))
    socket.once('error', (error) => end(errorCode(error) ?? errorText(error)))
  })
}

async function checkRuntime(env: Environment, { t, interrupted, clock }: Invocation): Promise<Finding[]> {
  const url = `${(env.RUNTIME_SERVICE_URL || 'http://localhost:8000').replace(/\/+$/, '')}/health`
  const probed = await probeUrl(url, { interrupted: interrupted(), now: () => clock.wall() })
  const check = 'runtime'
  const advice = t(
    'Start the runtime, or correct RUNTIME_SERVICE_URL; until then the direct LLM answers',
    '请启动 runtime，或修正 RUNTIME_SERVICE_URL；在此之前由直连 LLM 回答',
  )
  if (probed.kind === 'failed')
    return [{ check, result: 'fault', text: `${shown(url)}: ${probed.why}`, advice }]
  const isHealthy = probed.status === 200 && statusOf(probed.body) === 'healthy'
  const finding: Finding = isHealthy
    ? {
        check,
        result: 'ok',
        text: t(
          `${shown(url)}: healthy within ${Math.round(probed.ms)} ms`,
          `${shown(url)}：正常，${Math.round(probed.ms)} ms`,
        ),
      }
    : {
        check,
        result: 'fault',
        text: printable(`${shown(url)}: ${probed.status} ${probed.body.slice(0, 200)}`),
        advice,
      }
  return [finding, clockFinding(t('clock of the runtime', 'runtime 时钟'), probed.skewMs, t)]
}

/** An address may carry a password. */
const shown = (url: string): string => url.replace(/\/\/[^/?#]*@/, '//…@')

function statusOf(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body)
    return typeof parsed === 'object' && parsed !== null && 'status' in parsed ? parsed.status : undefined
  } catch {
    return undefined
  }
}

const SQLITE_HEAD = 'SQLite format 3\0'
const LEAST_FREE_BYTES = 100 * 1024 * 1024

function checkDatabase(env: Environment, { t }: Invocation): Finding[] {
  const file = env.CHAT_DATABASE || 'data/chat.db'
  const check = t('database', '数据库')
  if (file === ':memory:')
    return [
      {
        check,
        result: 'warning',
        text: t('in memory: conversations are lost at the end', '仅在内存中：进程结束后对话丢失'),
        advice: t('Set CHAT_DATABASE to a file', '请将 CHAT_DATABASE 设为文件'),
      },
    ]
  const advice = t(
    'Give the service a directory that it may write, on a local disk with room',
    '请提供服务可写、空间充足的本地磁盘目录',
  )
  try {
    // The service makes the directory itself.
    const directory = nearestThere(dirname(file))
    accessSync(directory, constants.W_OK)
    const { bavail, bsize } = statfsSync(directory)
    const free = `${Math.round((bavail * bsize) / 1024 / 1024)} MiB`
    if (existsSync(file)) {
      accessSync(file, constants.R_OK | constants.W_OK)
      const head = headOf(file)
      if (head !== '' && head !== SQLITE_HEAD)
        return [
          {
            check,
            result: 'fault',
            text: t(`${file} is no SQLite file`, `${file} 不是 SQLite 文件`),
            advice: t('Move it away, or correct CHAT_DATABASE', '请移走该文件，或修正 CHAT_DATABASE'),
          },
        ]
    }
    if (bavail * bsize < LEAST_FREE_BYTES)
      return [
        { check, result: 'warning', text: t(`${file}: only ${free} free`, `${file}：仅剩 ${free}`), advice },
      ]
    return [{ check, result: 'ok', text: t(`${file}, ${free} free`, `${file}，剩余 ${free}`) }]
  } catch (thrown) {
    return [{ check, result: 'fault', text: `${file}: ${errorCode(thrown) ?? errorText(thrown)}`, advice }]
  }
}

function nearestThere(directory: string): string {
  return existsSync(directory) || dirname(directory) === directory
    ? directory
    : nearestThere(dirname(directory))
}

function headOf(file: string): string {
  const descriptor = openSync(file, 'r')
  try {
    const head = Buffer.alloc(SQLITE_HEAD.length)
    return head.toString('latin1', 0, readSync(descriptor, head, 0, head.length, 0))
  } finally {
    closeSync(descriptor)
  }
}
