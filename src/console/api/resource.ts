import { useEffect, useState } from 'preact/hooks'
import { language } from '../text/language.js'
import { type Answer, RequestError, request } from './request.js'
import { token } from './session.js'

/** What a view shows of one address of the API. */
export type Resource<T> =
  | { readonly state: 'loading' }
  | {
      readonly state: 'ready'
      readonly path: string
      readonly answer: Answer<T>
      readonly refreshing: boolean
      /** why the last look brought nothing newer */
      readonly missed?: RequestError
    }
  | { readonly state: 'failed'; readonly error: RequestError; readonly retry: () => void }

/**
 * Reads `path` and again whenever it, the language, the reader or one of `when` changes. While it is read again the last
 * answer stays, and it stays when that fails: what somebody is editing must not go with the connection.
 */
export function useResource<T>(
  path: string,
  when: readonly unknown[] = [],
): Resource<T> & { readonly refresh: () => void } {
  const [resource, setResource] = useState<Resource<T>>({ state: 'loading' })
  const [round, setRound] = useState(0)
  const refresh = (): void => setRound((before) => before + 1)
  useEffect(() => {
    const gone = new AbortController()
    setResource((before) =>
      before.state === 'ready' ? { ...before, refreshing: true } : { state: 'loading' },
    )
    request<T>(path, { signal: gone.signal }).then(
      (answer) => setResource({ state: 'ready', path, answer, refreshing: false }),
      (thrown: unknown) => {
        if (gone.signal.aborted) return
        const error =
          thrown instanceof RequestError ? thrown : new RequestError(0, 'unreadable', String(thrown))
        setResource((before) =>
          before.state === 'ready' && before.path === path
            ? { ...before, refreshing: false, missed: error }
            : { state: 'failed', error, retry: refresh },
        )
      },
    )
    return () => gone.abort()
  }, [path, round, language.value, token.value, ...when])
  return { ...resource, refresh }
}
