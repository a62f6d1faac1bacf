import type { ComponentChildren } from 'preact'
import type { Resource } from '../api/resource.js'
import { dateTime, utc } from '../text/format.js'
import { t } from '../text/language.js'
import { SHELL } from '../text/shell.js'
import { Fault } from './fault.js'

/** Shows a resource: loading, failed with a way on, or what it holds. */
export function Loaded<T>({
  resource,
  children,
}: {
  readonly resource: Resource<T>
  readonly children: (data: T, etag: string | null) => ComponentChildren
}) {
  switch (resource.state) {
    case 'loading':
      return <Loading />
    case 'failed':
      return (
        <Fault error={resource.error}>
          <button type="button" onClick={resource.retry}>
            {t(SHELL.retry)}
          </button>
        </Fault>
      )
    case 'ready':
      return (
        <div class="loaded" aria-busy={resource.refreshing}>
          {resource.missed !== undefined && <Fault error={resource.missed} />}
          {children(resource.answer.data, resource.answer.etag)}
        </div>
      )
  }
}

export function Loading() {
  return (
    <p class="quiet" role="status">
      {t(SHELL.loading)}
    </p>
  )
}

/** An instant in the reader's time zone; UTC while the pointer is on it. */
export function Time({ at, text }: { readonly at: string | number; readonly text?: string }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={utc(at)} class="figure">
      {text ?? dateTime(at)}
    </time>
  )
}
