import type { ComponentChildren } from 'preact'
import type { RequestError } from '../api/request.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'

/** What went wrong with a call, with its details, and a way on where there is one. */
export function Fault({
  error: { status, message, details },
  children,
}: {
  readonly error: RequestError
  readonly children?: ComponentChildren
}) {
  return (
    <div class="notice bad" role="alert">
      <p>{status === 0 ? t(PARTS.unreachable, { message }) : message}</p>
      {details.length > 0 && (
        <ul>
          {details.map((detail) => (
            <li key={detail}>{detail}</li>
          ))}
        </ul>
      )}
      {children}
    </div>
  )
}
