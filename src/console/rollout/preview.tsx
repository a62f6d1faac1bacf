import { useEffect, useState } from 'preact/hooks'
import type { FlagEdit, FlagEditAnswer, FlagEditPreview } from '../../protocol/flag-edit.js'
import { RequestError, request } from '../api/request.js'
import { Confirm } from '../parts/confirm.js'
import { Fault } from '../parts/fault.js'
import { Scroll } from '../parts/scroll.js'
import { Loading } from '../parts/states.js'
import { t } from '../text/language.js'
import { ROLLOUT } from '../text/rollout.js'

/** What an edit would write and whom it would move; only then it is saved, as it was shown. */
export function Preview({
  edit,
  etag,
  saved,
  stale,
  close,
}: {
  readonly edit: FlagEdit
  /** of the content that the reader edited */
  readonly etag: string
  readonly saved: (answer: FlagEditAnswer) => void
  /** the file is another one meanwhile */
  readonly stale: () => void
  readonly close: () => void
}) {
  const [preview, setPreview] = useState<FlagEditPreview | RequestError | undefined>(undefined)
  useEffect(() => {
    const gone = new AbortController()
    const call = { method: 'PATCH', body: edit, ifMatch: etag, signal: gone.signal } as const
    request<FlagEditPreview>('/runtime/flags?dryRun=true', call).then(
      ({ data }) => setPreview(data),
      (thrown: unknown) => {
        if (thrown instanceof RequestError) thrown.status === 412 ? stale() : setPreview(thrown)
      },
    )
    return () => gone.abort()
  }, [edit, etag])
  const save = async (): Promise<void> => {
    try {
      const { data } = await request<FlagEditAnswer>('/runtime/flags', {
        method: 'PATCH',
        body: edit,
        ifMatch: etag,
      })
      saved(data)
    } catch (thrown) {
      if (!(thrown instanceof RequestError) || thrown.status !== 412) throw thrown
      stale()
    }
  }
  const ready = preview !== undefined && !(preview instanceof RequestError) && preview.changes.length > 0
  return (
    <Confirm title={t(ROLLOUT.previewTitle)} yes={t(ROLLOUT.save)} ready={ready} act={save} close={close}>
      {preview === undefined && <Loading />}
      {preview instanceof RequestError && <Fault error={preview} />}
      {preview !== undefined && !(preview instanceof RequestError) && <Shown preview={preview} />}
    </Confirm>
  )
}

function Shown({ preview: { changes, diff, effect } }: { readonly preview: FlagEditPreview }) {
  if (changes.length === 0) return <p>{t(ROLLOUT.noChanges)}</p>
  return (
    <>
      <p>{effect === null ? t(ROLLOUT.noEffect) : effect.sentence}</p>
      <ul class="changes">
        {changes.map(({ path, before, after }) => (
          <li key={path}>
            <code>{path}</code>: {text(before)} → <b>{text(after)}</b>
          </li>
        ))}
      </ul>
      <details>
        <summary>{t(ROLLOUT.diff)}</summary>
        {diff === null ? <p>{t(ROLLOUT.longDiff)}</p> : <Diff text={diff} />}
      </details>
    </>
  )
}

const text = (value: unknown): string => (value === undefined ? '–' : JSON.stringify(value))

function Diff({ text }: { readonly text: string }) {
  return (
    <Scroll name={t(ROLLOUT.diff)} kind="scroll">
      <pre class="diff">
        {text.split('\n').map((line, at) => (
          <span key={at} class={line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : ''}>
            {`${line}\n`}
          </span>
        ))}
      </pre>
    </Scroll>
  )
}
