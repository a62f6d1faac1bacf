import { useState } from 'preact/hooks'
import { t } from '../text/language.js'
import { PARTS } from '../text/parts.js'
import { Scroll } from './scroll.js'

/** Values by their names, deep ones indented, or as JSON: which one first, `startsAs` says. */
export function Values({
  value,
  name,
  startsAs = 'list',
}: {
  readonly value: unknown
  readonly name: string
  readonly startsAs?: 'list' | 'json'
}) {
  const [raw, setRaw] = useState(startsAs === 'json')
  return (
    <div class="values">
      <h3>
        {name}{' '}
        <button type="button" class="plain" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          {t(raw ? PARTS.asList : PARTS.asJson)}
        </button>
      </h3>
      {raw ? (
        <Scroll name={name} kind="scroll">
          <pre>{JSON.stringify(value, null, 2)}</pre>
        </Scroll>
      ) : (
        <Tree value={value} />
      )}
    </div>
  )
}

function Tree({ value }: { readonly value: unknown }) {
  if (typeof value !== 'object' || value === null) return <span class="figure">{leaf(value)}</span>
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object'))
    return <span class="figure">{value.map(leaf).join(', ') || '–'}</span>
  return (
    <dl class="tree">
      {Object.entries(value).map(([key, item]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <Tree value={item} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function leaf(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value * 10_000) / 10_000)
  return value === null || value === undefined ? '–' : String(value)
}
