import { shownAddress } from '../../core/net/login-of-url.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import type { Finding } from '../doctor/finding.js'
import { findingsText } from '../doctor/findings-text.js'
import { probeUrl } from '../doctor/probe-url.js'
import { causeText } from '../text/cause-text.js'
import { CommandError, Interrupted } from '../text/command-error.js'
import { printable } from '../text/table.js'
import { checkBadBody, checkCancel, checkRunningCancel } from './runtime-calls.js'
import { type RuntimeQuestion, type RuntimeTurn, runtimeTurn } from './runtime-turn.js'
import {
  fenceFinding,
  historyFinding,
  pingFinding,
  streamFinding,
  toolFinding,
  turnFinding,
} from './turn-findings.js'

export const runtimeCheckCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .argument('<url>', t('of the runtime, like http://localhost:8000', 'runtime 地址'))
      .option(
        '--tool-question <text>',
        t('a question for which the runtime uses a tool', '需要 runtime 使用工具的问题'),
      ),
  examples: [
    'runtime-check http://localhost:8000',
    'runtime-check http://localhost:8000 --tool-question "Which orders are open?"',
    'runtime-check http://localhost:8000 --json',
  ],
  exits: {
    en: 'Exit code: 0 no faults (there may be warnings); 1 faults; 2 wrong usage; 130 ended by Ctrl-C.',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 无错误（可能有警告）；1 有错误；2 用法错误；130 被 Ctrl-C 中断。',
  },
  remote: false,
  async run(invocation) {
    const { given, t, json, print, printJson } = invocation
    const url = baseUrl(given.words[0] ?? '', t)
    const findings = await checkRuntime(url, invocation)
    if (invocation.interrupted().aborted) throw new Interrupted()
    const faults = findings.filter(({ result }) => result === 'fault').length
    if (json) printJson({ ok: faults === 0, faults, findings })
    else print(findingsText(findings, invocation))
    return faults === 0 ? 0 : 1
  },
}

function baseUrl(text: string, t: Invocation['t']): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href.replace(/\/+$/, '')
  throw new CommandError(
    t(
      `"${shownAddress(text)}" is no http address; give one like http://localhost:8000`,
      `"${shownAddress(text)}" 不是 http 地址，请使用如 http://localhost:8000 的地址`,
    ),
    2,
  )
}

async function checkRuntime(url: string, invocation: Invocation): Promise<Finding[]> {
  const { t, clock, given } = invocation
  const turns: RuntimeTurn[] = []
  const ask = async (question: RuntimeQuestion): Promise<RuntimeTurn> => {
    const around = { interrupted: invocation.interrupted(), now: () => clock.monotonic() }
    const turn = await runtimeTurn(url, question, around)
    turns.push(turn)
    return turn
  }
  const health = await checkHealth(url, invocation)
  const plain = await ask({ message: 'Say hello.' })
  const turn = turnFinding(plain, t)
  // Without an answer the rest says nothing.
  if (plain.kind === 'failed' || plain.status !== 200) return [health, turn]
  const tool = await ask({ message: given.text('toolQuestion') ?? TOOL_QUESTION })
  const { first, second } = QUESTIONS
  const remembered = await ask({
    message: second.question,
    history: [user(first.question), assistant(first.answer)],
  })
  const shadow = await ask({ message: 'Say hello.', shadow: true })
  return [
    health,
    turn,
    streamFinding(plain, t),
    toolFinding(tool, t),
    historyFinding(remembered, second.answer, t),
    fenceFinding(shadow, t),
    await checkBadBody(url, invocation),
    await checkCancel(url, invocation),
    await checkRunningCancel(url, invocation),
    pingFinding(turns, t),
  ]
}

const user = (content: string) => ({ role: 'user' as const, content })
const assistant = (content: string) => ({ role: 'assistant' as const, content })

const TOOL_QUESTION = 'Use a tool: what is the weather in Berlin?'

/** Words that no runtime says by chance. */
const QUESTIONS = {
  first: { question: 'Answer with the word QUINCE alone.', answer: 'QUINCE' },
  second: { question: 'Answer with the word MEDLAR alone.', answer: 'MEDLAR' },
}

async function checkHealth(url: string, invocation: Invocation): Promise<Finding> {
  const { t, clock } = invocation
  const check = 'GET /health'
  const health = await probeUrl(`${url}/health`, {
    interrupted: invocation.interrupted(),
    now: () => clock.wall(),
  })
  if (health.kind === 'answer' && health.status === 200 && isHealthy(health.body))
    return { check, result: 'ok', text: t('healthy', '健康') }
  return {
    check,
    result: 'fault',
    text: printable(
      health.kind === 'failed' ? causeText(health.why, t) : `${health.status} ${health.body.slice(0, 200)}`,
    ),
    advice: t(
      'Answer 200 with {"status":"healthy"}; anything else makes the service fall back',
      '应返回 200 与 {"status":"healthy"}；否则服务会回退',
    ),
  }
}

function isHealthy(body: string): boolean {
  try {
    const told: unknown = JSON.parse(body)
    return typeof told === 'object' && told !== null && 'status' in told && told.status === 'healthy'
  } catch {
    return false
  }
}
