import { CommandError } from '../text/command-error.js'
import type { Say } from '../text/language.js'

/** Fields of a flag whose value is an object, as words of a command line. */

/** `name=value …` as an object; a dot leads into a field. @throws CommandError */
export function fieldsOf(words: readonly string[], t: Say): Record<string, unknown> {
  // Without a prototype `__proto__` is a name like any other, which the service refuses.
  const fields: Record<string, unknown> = Object.create(null)
  for (const word of words) {
    const at = word.indexOf('=')
    if (at < 1) throw new CommandError(t(`Not name=value: ${word}`, `不是 名称=取值 的形式：${word}`), 2)
    place(fields, word.slice(0, at), parsedValue(word.slice(at + 1)))
  }
  return fields
}

/** `{llm: {gapMs: 1}}` → `llm.gapMs`: 1; lists stay whole. */
export function flattened(value: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, unknown][] =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? [...flattened(inner, `${prefix}${key}.`)]
        : [[`${prefix}${key}`, inner]],
    ),
  )
}

function place(into: Record<string, unknown>, name: string, value: unknown): void {
  const dot = name.indexOf('.')
  if (dot < 0) {
    into[name] = value
    return
  }
  // Only at the first dot: the id of an org may have some of its own.
  const [outer, inner] = [name.slice(0, dot), name.slice(dot + 1)]
  const there = into[outer]
  into[outer] = { ...(typeof there === 'object' ? there : {}), [inner]: value }
}

/** What is no JSON is a text: the service says whether it may be one. */
function parsedValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
