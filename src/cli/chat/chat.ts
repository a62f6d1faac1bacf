import { createInterface } from 'node:readline'
import type { ChatTurn } from '../../client/index.js'
import { type DoneEvent, doneEventSchema, type ErrorEvent, errorEventSchema } from '../../protocol/events.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { parseKnown } from '../service/loose-parse.js'
import { CommandError, type ExitCode, Interrupted } from '../text/command-error.js'
import { duration, modeName } from '../text/format.js'
import { oneLine, printable } from '../text/table.js'
import { messageText } from './chat-text.js'

/** ms that a stopped turn may take to end */
const STOP_MS = 5_000

export const chatCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .argument('[message...]', t('one turn; without it each line typed is one', '单轮消息；省略时逐行输入'))
      .option(
        '--agent <id>',
        t('who answers in a new session (assistant)', '新会话使用的智能体（assistant）'),
      )
      .option('--session <id>', t('goes on with this session', '继续此会话')),
  examples: [
    'chat Hello',
    'chat --agent assistant',
    'chat --session 0190c0de-0000-7000-8000-000000000000 "And then?"',
  ],
  exits: {
    en: 'Exit code: 0 answered; 1 the turn failed, or the service is not there or refuses; 2 wrong usage; 130 ended by Ctrl-C (the turn is stopped).',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 已回答；1 失败，或服务不可达、拒绝；2 用法错误；130 被 Ctrl-C 中断（本轮会停止）。',
  },
  remote: true,
  async run(invocation) {
    const { given } = invocation
    const message = given.words.join(' ').trim()
    const sessionId = given.text('session')
    if (message !== '') return (await turn(message, sessionId, invocation)).exitCode
    return conversation(sessionId, invocation)
  },
}

interface Turn {
  readonly exitCode: ExitCode
  readonly sessionId: string | undefined
}

/** Each line of the input is a turn of one session. Ends with the input, or by Ctrl-C. */
async function conversation(first: string | undefined, invocation: Invocation): Promise<ExitCode> {
  const { input, t, style } = invocation
  const until = invocation.interrupted()
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  const close = (): void => lines.close()
  until.addEventListener('abort', close)
  const isTyped = input.isTTY === true && !invocation.json
  if (isTyped)
    invocation.print(style.dim(t('One line is one message; Ctrl-D ends.\n', '每行一条消息，Ctrl-D 结束。\n')))
  const prompt = (): void => {
    if (isTyped) invocation.print('> ')
  }
  let sessionId = first
  let exitCode: ExitCode = 0
  try {
    prompt()
    for await (const line of lines) {
      if (line.trim() !== '') {
        const ended = await turnOfMany(line, sessionId, isTyped, invocation)
        sessionId = ended.sessionId
        exitCode = ended.exitCode
        if (exitCode === 130) return exitCode
      }
      prompt()
    }
  } finally {
    until.removeEventListener('abort', close)
    lines.close()
  }
  return until.aborted ? 130 : exitCode
}

/** A person who types goes on after a refused turn; a pipe ends with it. */
async function turnOfMany(
  message: string,
  sessionId: string | undefined,
  isTyped: boolean,
  invocation: Invocation,
): Promise<Turn> {
  try {
    return await turn(message, sessionId, invocation)
  } catch (thrown) {
    if (!isTyped || !(thrown instanceof CommandError) || thrown.exitCode !== 1) throw thrown
    invocation.output.err(`${thrown.message}\n`)
    return { exitCode: 1, sessionId }
  }
}

async function turn(message: string, sessionId: string | undefined, invocation: Invocation): Promise<Turn> {
  const { chat } = invocation.client()
  const running =
    sessionId === undefined
      ? chat.start({ agentId: invocation.given.text('agent') ?? 'assistant', message })
      : chat.send(sessionId, message)
  const interruption = stopOnInterrupt(running, invocation)
  try {
    return await show(running, sessionId, interruption.opened, invocation)
  } finally {
    interruption.close()
  }
}

/** Ctrl-C leaves a turn that has not begun, and stops one that has: it may end then, for a while. */
function stopOnInterrupt(running: ChatTurn, invocation: Invocation) {
  const interrupted = invocation.interrupted()
  let session: string | undefined
  let timer: NodeJS.Timeout | undefined
  const end = (): void => {
    if (session === undefined) {
      running.abort()
      return
    }
    // Whatever becomes of the stop: the turn ends at its end, or is left then.
    timer = setTimeout(() => running.abort(), STOP_MS)
    // Never rejects. Where it fails the connection is closed next, which ends the turn too.
    void invocation.client({ afterInterrupt: true }).chat.stop(session)
  }
  if (interrupted.aborted) end()
  else interrupted.addEventListener('abort', end)
  return {
    opened(sessionId: string): void {
      session = sessionId
    },
    close(): void {
      interrupted.removeEventListener('abort', end)
      clearTimeout(timer)
    },
  }
}

/** Prints the events as they come. @throws CommandError for a turn that did not begin, or broke */
async function show(
  running: ChatTurn,
  given: string | undefined,
  opened: (sessionId: string) => void,
  invocation: Invocation,
): Promise<Turn> {
  const { output } = invocation
  const write = messageText(invocation)
  const printJson = (event: string, data: unknown): void =>
    invocation.print(`${JSON.stringify({ event, data })}\n`)
  let sessionId = given
  for await (const event of running)
    switch (event.type) {
      case 'open':
        sessionId = event.sessionId === '' ? given : event.sessionId
        if (sessionId !== undefined) opened(sessionId)
        break
      case 'message':
        if (invocation.json) printJson('message', event.message)
        else write(event.message)
        break
      case 'retry':
        break
      case 'done': {
        const line = doneLine(parseKnown(doneEventSchema, event.done), invocation)
        if (invocation.json) printJson('done', event.done)
        else invocation.print(`\n${invocation.style.dim(line)}\n`)
        return { exitCode: invocation.interrupted().aborted ? 130 : 0, sessionId }
      }
      case 'failed': {
        if (event.error.kind !== 'turn') throw invocation.client().chatFailure(event.error)
        const { kind: _, ...error } = event.error
        if (invocation.json) printJson('error', error)
        else output.err(`\n${errorLine(parseKnown(errorEventSchema, error), invocation)}\n`)
        return { exitCode: 1, sessionId }
      }
    }
  // The events always end with one of those.
  throw new Interrupted()
}

function doneLine(done: DoneEvent | undefined, { t }: Invocation): string {
  if (done === undefined) return t('(ended)', '（结束）')
  const { usage, executionMode, decision, failover, stopped, sessionId } = done
  const parts = [
    modeName(executionMode, t),
    t(`decided by ${decision.reason}`, `决策依据 ${decision.reason}`),
    `${usage.estimated === true ? '~' : ''}${usage.tokens} tokens`,
    duration(usage.latencyMs),
    ...(failover === undefined
      ? []
      : [
          t(
            `failover from the ${modeName(failover.from, t)} after ${duration(failover.afterMs)}: ${failover.cause}`,
            `${duration(failover.afterMs)} 后由 ${modeName(failover.from, t)} 切换：${failover.cause}`,
          ),
        ]),
    ...(stopped === true ? [t('stopped', '已停止')] : []),
    ...(done.history === undefined ? [] : [t('without history', '无历史记录')]),
    t(`session ${sessionId}`, `会话 ${sessionId}`),
  ]
  return oneLine(`[${parts.join(' · ')}]`)
}

function errorLine(error: ErrorEvent | undefined, { t, style }: Invocation): string {
  if (error === undefined) return t('The turn failed.', '本轮失败。')
  const again = error.recoverable
    ? t('Sending the message again may work.', '可以重新发送该消息。')
    : t('Sending the message again will not help.', '重新发送不会有帮助。')
  return `${style.bad(printable(error.message))} (${error.code}, ${modeName(error.executionMode, t)})\n${again}`
}
