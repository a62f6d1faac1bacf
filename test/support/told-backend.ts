import { aborted, scripted, text } from './scripted-backend.js'

/** A direct LLM that sends one piece each time the test says so (`a|b` are two events), and ends when it says so. */
export function toldBackend() {
  let next: (piece: string | undefined) => void = () => undefined
  const seen = { aborted: false }
  const backend = scripted('direct_llm', async function* (_turn, call) {
    call.onConnected()
    call.onHeaders()
    const gone = aborted(call.signal).then(() => {
      seen.aborted = true
      return undefined
    })
    for (;;) {
      const asked = new Promise<string | undefined>((resolve) => {
        next = resolve
      })
      const piece = await Promise.race([asked, gone])
      if (piece === undefined) return
      yield piece.split('|').map(text)
    }
  })
  /** Lets the backend get there first. */
  const tell = async (piece?: string): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    next(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { backend, seen, tell }
}
