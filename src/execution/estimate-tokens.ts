import type { Turn } from './backend.js'

/** Characters of other scripts that make about one token. */
const CHARACTERS_A_TOKEN = 4

/** Counts tokens of text that comes in pieces: a CJK character is about one, four other characters are about one. */
export class TokenMeter {
  #cjk = 0
  #other = 0

  add(text: string): void {
    let cjk = 0
    for (let at = 0; at < text.length; at += 1) if (isCjk(text.charCodeAt(at))) cjk += 1
    this.#cjk += cjk
    this.#other += text.length - cjk
  }

  get tokens(): number {
    return this.#cjk + Math.ceil(this.#other / CHARACTERS_A_TOKEN)
  }
}

/** The tokens of what a turn sends upstream: system prompt, history and message. */
export function estimatePrompt(turn: Turn): number {
  const meter = new TokenMeter()
  meter.add(turn.profile.systemPrompt ?? '')
  for (const message of turn.history) meter.add(message.content)
  meter.add(turn.message)
  return meter.tokens
}

// Kana, CJK ideographs, Hangul and full-width forms: one range each, by UTF-16 unit.
function isCjk(unit: number): boolean {
  if (unit < 0x2e80) return false
  return (
    unit <= 0x9fff ||
    (unit >= 0xac00 && unit <= 0xd7a3) ||
    (unit >= 0xf900 && unit <= 0xfaff) ||
    (unit >= 0xff00 && unit <= 0xffef)
  )
}
