import { useCallback, useEffect, useReducer, useRef } from 'react'
import type { ChatClient, ChatTurn } from '../client/chat-client.js'
import { type Conversation, EMPTY_CONVERSATION, reduceConversation } from '../client/conversation.js'
import type { ChatError } from '../client/errors.js'

export interface ChatCutoverOptions {
  /** The same from render to render (made outside of the component, or by `useMemo`): another one begins a new conversation. */
  readonly client: ChatClient
  readonly agentId: string
  /** A conversation to go on with: its history is read. Another id, or none, starts a new conversation. */
  readonly sessionId?: string | undefined
  /** Told where that history cannot be read. */
  readonly onLoadFailed?: ((error: ChatError) => void) | undefined
}

export interface ChatCutover extends Conversation {
  /** Sends a message. Does nothing while a turn runs. */
  send(message: string): void
  /** Stops the turn that runs; what was written stays. */
  stop(): void
  /** Forgets the conversation here and gives up a turn that runs; nothing is erased in the service. */
  clear(): void
}

/** A conversation in a component. A turn that runs is given up when the component goes. */
export function useChatCutover(options: ChatCutoverOptions): ChatCutover {
  const { client, agentId, sessionId, onLoadFailed } = options
  const [conversation, dispatch] = useReducer(reduceConversation, EMPTY_CONVERSATION)
  const running = useRef<ChatTurn | undefined>(undefined)
  /** ends the reading of the history */
  const loading = useRef<AbortController | undefined>(undefined)
  const session = useRef(sessionId)
  const isOpen = useRef(false)
  const sent = useRef(0)
  const loadFailed = useRef(onLoadFailed)
  useEffect(() => {
    loadFailed.current = onLoadFailed
  }, [onLoadFailed])

  const leave = useCallback((): void => {
    loading.current?.abort()
    running.current?.abort()
    running.current = undefined
  }, [])

  useEffect(() => {
    session.current = sessionId
    dispatch({ type: 'cleared' })
    if (sessionId === undefined) return leave
    const control = new AbortController()
    loading.current = control
    // Never rejects.
    void client.session(sessionId, control.signal).then((kept) => {
      if (control.signal.aborted) return
      if (kept.ok) dispatch({ type: 'loaded', session: kept.data })
      else loadFailed.current?.(kept.error)
    })
    return leave
  }, [client, sessionId, leave])

  const send = useCallback(
    (message: string): void => {
      if (running.current !== undefined) return
      // A history that comes later would take the place of this turn.
      loading.current?.abort()
      const turn =
        session.current === undefined
          ? client.start({ agentId, message })
          : client.send(session.current, message)
      running.current = turn
      isOpen.current = false
      sent.current += 1
      dispatch({ type: 'sent', key: `sent-${sent.current}`, message })
      const read = async (): Promise<void> => {
        for await (const event of turn) {
          // Given up meanwhile: what it says belongs to a conversation that is gone.
          if (running.current !== turn) return
          if (event.type === 'open') {
            isOpen.current = true
            session.current = event.sessionId
          }
          if (event.type === 'done' || event.type === 'failed') running.current = undefined
          dispatch({ type: 'event', event })
        }
      }
      // The events never reject.
      void read()
    },
    [client, agentId],
  )

  const stop = useCallback((): void => {
    const turn = running.current
    if (turn === undefined) return
    const known = session.current
    // The service does not know the turn yet.
    if (known === undefined || !isOpen.current) {
      turn.abort()
      return
    }
    // Never rejects. Where nothing runs any more, the end of the turn is on its way.
    void client.stop(known).then((stopped) => {
      if (!stopped.ok) turn.abort()
    })
  }, [client])

  const clear = useCallback((): void => {
    leave()
    session.current = undefined
    dispatch({ type: 'cleared' })
  }, [leave])

  return { ...conversation, send, stop, clear }
}
