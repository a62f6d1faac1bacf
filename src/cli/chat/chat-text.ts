import { type MessageBody, messageEventSchema } from '../../protocol/events.js'
import type { Invocation } from '../command/invocation.js'
import { parseKnown } from '../service/loose-parse.js'
import { duration } from '../text/format.js'
import { oneLine, printable } from '../text/table.js'

/** characters of arguments and results */
const SHOWN = 200

/** Writes the messages of one turn: text as it comes, everything else on lines of its own. */
export function messageText(invocation: Invocation): (data: unknown) => void {
  const { style } = invocation
  /** what is being written on the present line */
  let flow = 'none'
  const line = (text: string): void => {
    const before = flow === 'none' ? '' : '\n'
    flow = 'none'
    invocation.print(`${before}${text}\n`)
  }
  const running = (kind: string, text: string): void => {
    const before = flow === 'none' || flow === kind ? '' : '\n'
    flow = kind
    invocation.print(before + text)
  }
  return (data) => {
    const message = parseKnown(messageEventSchema, data)
    if (message === undefined) return
    if (message.type === 'text') running('text', printable(message.data.content))
    else if (message.type === 'thinking') {
      // Pieces of one thought join; another stage is another thought.
      running(`thinking ${message.data.stage ?? ''}`, style.dim(printable(message.data.content)))
    } else for (const text of linesOf(message, invocation)) line(text)
  }
}

type Block = Exclude<MessageBody, { type: 'text' } | { type: 'thinking' }>

function linesOf(message: Block, { t, style }: Invocation): string[] {
  switch (message.type) {
    case 'plan': {
      const steps = message.data.steps.map(
        ({ title, status }, at) =>
          `  ${at + 1}. ${oneLine(title)}${status === 'pending' ? '' : ` (${status})`}`,
      )
      return [style.bold(t('Plan', '计划')), ...steps]
    }
    case 'plan_step': {
      const { title, status, tool, error, durationMs } = message.data
      const took = durationMs === undefined ? '' : ` (${duration(durationMs)})`
      const why = error === undefined ? '' : `: ${oneLine(error)}`
      const by = tool === undefined ? '' : ` [${oneLine(tool)}]`
      return [`${MARKS[status]} ${oneLine(title)}${by} ${style.dim(status)}${took}${why}`]
    }
    case 'tool_call':
    case 'mcp_call':
      return [style.dim(`→ ${oneLine(message.data.toolName)} ${short(message.data.arguments)}`)]
    case 'skill_call':
      return [style.dim(`→ ${oneLine(message.data.skillName)} ${short(message.data.arguments)}`)]
    case 'tool_result':
    case 'mcp_result':
      return [resultLine(message.data.toolName, message.data, style)]
    case 'skill_result':
      return [resultLine(message.data.skillName, message.data, style)]
    case 'file':
      return [`${t('File: ', '文件：')}${oneLine(message.data.filename)} ${oneLine(message.data.url)}`]
  }
}

const MARKS = { pending: ' ', running: '…', completed: '✓', failed: '✗', skipped: '-' } as const

function resultLine(
  name: string,
  {
    success,
    result,
    error,
    duration: took,
  }: { success: boolean; result?: unknown; error?: string | undefined; duration?: number | undefined },
  style: Invocation['style'],
): string {
  const time = took === undefined ? '' : ` (${duration(took)})`
  const text = `← ${oneLine(name)}${time} ${success ? short(result) : short(error ?? result)}`
  return success ? style.dim(text) : style.bad(text)
}

function short(value: unknown): string {
  const text = oneLine(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`
}
