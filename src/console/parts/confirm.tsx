import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { RequestError } from '../api/request.js'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { Fault } from './fault.js'

/** A question before something that people feel: what will happen, then yes or no. */
export function Confirm({
  title,
  yes,
  danger = false,
  ready = true,
  children,
  act,
  close,
}: {
  readonly title: string
  /** what the button says: the deed, never "OK" */
  readonly yes: string
  readonly danger?: boolean
  /** whether enough is shown to agree to */
  readonly ready?: boolean
  readonly children: ComponentChildren
  /** a rejection is shown, and the question stays */
  readonly act: () => Promise<void>
  readonly close: () => void
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [state, setState] = useState<'asking' | 'acting'>('asking')
  const [fault, setFault] = useState<RequestError | undefined>(undefined)
  useLayoutEffect(() => {
    const node = dialog.current
    node?.showModal()
    return () => node?.close()
  }, [])
  const agree = (): void => {
    setState('acting')
    setFault(undefined)
    act().then(close, (thrown: unknown) => {
      setFault(thrown instanceof RequestError ? thrown : new RequestError(0, 'unreadable', String(thrown)))
      setState('asking')
    })
  }
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="confirm-title">
      <h2 id="confirm-title">{title}</h2>
      <div class="question">{children}</div>
      {fault !== undefined && <Fault error={fault} />}
      <div class="actions">
        <button
          type="button"
          class={danger ? 'danger' : 'primary'}
          disabled={state === 'acting' || !ready}
          onClick={agree}
        >
          {yes}
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          {t(PARTS.cancel)}
        </button>
      </div>
    </dialog>
  )
}
