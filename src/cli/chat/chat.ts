import { createInterface } from 'node:readline'
import { errorText } from '../../core/errors.js'
import { stopResponseSchema } from '../../protocol/api.js'
import { type DoneEvent, doneEventSchema, type ErrorEvent, errorEventSchema } from '../../protocol/events.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { eventsOf, type StreamEvent, StreamSilent } from '../service/event-stream.js'
import { parseKnown } from '../service/loose-parse.js'
import { CommandError, type ExitCode, Interrupted } from '../text/command-error.js'
import { duration, modeName } from '../text/format.js'
import { oneLine, printable } from '../text/table.js'
import { messageText } from './chat-text.js'

/** ms that a stopped turn may take to end */
const STOP_MS = 5_000

export const chatCommand: CommandSpec = {
  words: ['chat'],
  section: 'try',
  summary: {
    en: 'a turn in the terminal, streamed, with its plan and tools',
    'zh-CN': '在终端对话，流式显示计划与工具',
  },
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

/** Whoever types goes on after a turn that was refused; a pipe ends with it. */
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
  const { given, t } = invocation
  const client = invocation.client()
  const interrupted = invocation.interrupted()
  const call =
    sessionId === undefined
      ? { path: '/chat/start', body: { agentId: given.text('agent') ?? 'assistant', message } }
      : { path: `/chat/sessions/${encodeURIComponent(sessionId)}`, body: { message } }
  const over = new AbortController()
  const leave = (): void => over.abort()
  interrupted.addEventListener('abort', leave)
  const response = await client.open({ method: 'POST', ...call }, over.signal)
  interrupted.removeEventListener('abort', leave)
  const session = response.headers.get('X-Chat-Session-Id') ?? sessionId
  const stop = (): void => {
    // Whatever becomes of the stop: the turn ends at its end, or is left then.
    const timer = setTimeout(leave, STOP_MS)
    over.signal.addEventListener('abort', () => clearTimeout(timer))
    void stopTurn(session, invocation)
  }
  if (interrupted.aborted) stop()
  else interrupted.addEventListener('abort', stop)
  try {
    return { exitCode: await show(response, invocation), sessionId: session }
  } catch (thrown) {
    if (interrupted.aborted) throw new Interrupted()
    const why =
      thrown instanceof StreamSilent
        ? t('nothing came for too long', '长时间没有收到数据')
        : errorText(thrown)
    throw new CommandError(t(`\nThe stream broke: ${why}`, `\n事件流中断：${why}`), 1)
  } finally {
    interrupted.removeEventListener('abort', stop)
    over.abort()
  }
}

async function stopTurn(sessionId: string | undefined, invocation: Invocation): Promise<void> {
  if (sessionId === undefined) return
  const path = `/chat/sessions/${encodeURIComponent(sessionId)}/stop`
  try {
    await invocation.client({ afterInterrupt: true }).ask({ method: 'POST', path }, stopResponseSchema)
  } catch {
    // The connection is closed next, which ends the turn too.
  }
}

/** Prints the events as they come. @returns the exit code by the terminal event */
async function show(response: Response, invocation: Invocation): Promise<ExitCode> {
  const { t, output } = invocation
  const write = messageText(invocation)
  for await (const event of eventsOf(response)) {
    if (invocation.json) invocation.print(`${JSON.stringify(event)}\n`)
    else if (event.event === 'message') write(event.data)
    const ended = endOf(event)
    if (ended === undefined) continue
    if (ended.kind === 'error') {
      if (!invocation.json) output.err(`\n${errorLine(ended.data, invocation)}\n`)
      return 1
    }
    if (!invocation.json) invocation.print(`\n${invocation.style.dim(doneLine(ended.data, invocation))}\n`)
    return invocation.interrupted().aborted ? 130 : 0
  }
  throw new Error(t('it ended without an answer', '未返回回答即结束'))
}

type End =
  | { readonly kind: 'done'; readonly data: DoneEvent | undefined }
  | { readonly kind: 'error'; readonly data: ErrorEvent | undefined }

function endOf({ event, data }: StreamEvent): End | undefined {
  if (event === 'done') return { kind: 'done', data: parseKnown(doneEventSchema, data) }
  if (event === 'error') return { kind: 'error', data: parseKnown(errorEventSchema, data) }
  return undefined
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
