import { unreachable } from '../../core/errors.js'
import type { MessageBody } from '../../protocol/events.js'
import type { OpenAiEvents } from '../../protocol/openai.js'
import type { Language, Sentence } from '../edge/language.js'

/** A piece of the answer as an OpenAI client takes it. */
export interface AnswerPart {
  readonly field: 'content' | 'reasoning_content'
  readonly text: string
}

/** Characters of a call's arguments or of an error that are shown: enough to see what is going on. */
const MOST_SHOWN = 200

/** Turns the events of one turn into parts of the answer, in order: steps and calls become lines of the reasoning. Pure. */
export class AnswerParts {
  /** whether the next line of the reasoning begins where a line ended */
  #atLineStart = true

  constructor(
    private readonly events: OpenAiEvents,
    private readonly language: Language,
  ) {}

  /** Undefined where the client gets nothing of the event. */
  of(body: MessageBody): AnswerPart | undefined {
    switch (body.type) {
      case 'text':
        return { field: 'content', text: body.data.content }
      // An answer too: the user may have nothing but the file.
      case 'file':
        return { field: 'content', text: fileLink(body.data) }
      case 'thinking':
        if (this.events === 'none') return undefined
        // The runtime's thoughts are whole sentences and name their stage; those of an LLM come in pieces.
        return body.data.stage === undefined
          ? this.#reasoning(body.data.content)
          : this.#line(body.data.content)
      default: {
        const line = this.events === 'all' ? this.#lineOf(body) : undefined
        return line === undefined ? undefined : this.#line(line)
      }
    }
  }

  #reasoning(text: string): AnswerPart {
    this.#atLineStart = text.endsWith('\n')
    return { field: 'reasoning_content', text }
  }

  #line(line: string): AnswerPart {
    const text = `${this.#atLineStart ? '' : '\n'}${line}\n`
    return this.#reasoning(text)
  }

  #lineOf(body: Exclude<MessageBody, { type: 'text' | 'file' | 'thinking' }>): string | undefined {
    const say = (word: keyof typeof WORDS): string => WORDS[word][this.language]
    switch (body.type) {
      case 'plan':
        return [say('plan'), ...body.data.steps.map(({ title }, at) => `${at + 1}. ${title}`)].join('\n')
      case 'plan_step': {
        const { title, status, error } = body.data
        return status === 'pending' ? undefined : withReason(`${say(status)}: ${title}`, error)
      }
      case 'tool_call':
        return withArguments(`${say('tool')}: ${body.data.toolName}`, body.data.arguments)
      case 'skill_call':
        return withArguments(`${say('skill')}: ${body.data.skillName}`, body.data.arguments)
      case 'mcp_call':
        return withArguments(`MCP: ${body.data.serverId} ${body.data.toolName}`, body.data.arguments)
      case 'tool_result':
        return resultLine(body.data.toolName, body.data)
      case 'skill_result':
        return resultLine(body.data.skillName, body.data)
      case 'mcp_result':
        return resultLine(`${body.data.serverId} ${body.data.toolName}`, body.data)
      default:
        return unreachable(body)
    }

    function resultLine(
      name: string,
      { success, error }: { readonly success: boolean; readonly error?: string | undefined },
    ): string {
      return withReason(`${say(success ? 'completed' : 'failed')}: ${name}`, success ? undefined : error)
    }
  }
}

const WORDS = {
  plan: { 'zh-CN': '计划：', en: 'Plan:' },
  running: { 'zh-CN': '开始', en: 'Started' },
  completed: { 'zh-CN': '完成', en: 'Completed' },
  failed: { 'zh-CN': '失败', en: 'Failed' },
  skipped: { 'zh-CN': '跳过', en: 'Skipped' },
  tool: { 'zh-CN': '工具', en: 'Tool' },
  skill: { 'zh-CN': '技能', en: 'Skill' },
} as const satisfies Record<string, Sentence>

function withArguments(line: string, values: unknown): string {
  if (values === undefined || values === null) return line
  return `${line} ${shortened(typeof values === 'string' ? values : JSON.stringify(values))}`
}

function withReason(line: string, reason: string | undefined): string {
  return reason === undefined || reason === '' ? line : `${line} (${shortened(reason)})`
}

/** One line, and not cut within a surrogate pair. */
function shortened(text: string): string {
  const line = text.slice(0, MOST_SHOWN + 1).replace(/\s+/g, ' ')
  if (line.length <= MOST_SHOWN) return line
  return `${line.slice(0, MOST_SHOWN).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** Markdown on a line of its own, as every such client shows it. */
function fileLink({ filename, url }: { readonly filename: string; readonly url: string }): string {
  const name = filename.replace(/[[\]\\]/g, '\\$&')
  return `\n\n[${name}](<${url.replace(/[<>\s]/g, encodeURIComponent)}>)\n\n`
}
