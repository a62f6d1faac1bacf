import { useLocation } from 'preact-iso'
import type { PairSort, ShadowPair, ShadowPairs } from '../../protocol/shadow-pairs.js'
import type { ShadowReport } from '../../protocol/shadow-report.js'
import { useResource } from '../api/resource.js'
import { Scroll } from '../parts/scroll.js'
import { Loaded, Time } from '../parts/states.js'
import { count, duration } from '../text/format.js'
import { type Sentence, t } from '../text/language.js'
import { PAIR_PARTS, SHADOW } from '../text/shadow.js'

const LIMIT = '20'
const SORTS = [
  ['difference', SHADOW.differMost],
  ['newest', SHADOW.newest],
] as const satisfies readonly (readonly [PairSort, Sentence])[]

/** Single pairs by the ids of their turns, those that differ most first. The order stands in the address. */
export function Pairs({
  report: { from, to, orgId, agentId, control },
}: {
  readonly report: Pick<ShadowReport, 'from' | 'to' | 'orgId' | 'agentId' | 'control'>
}) {
  const { query, route } = useLocation()
  const sort = SORTS.find(([one]) => one === query.sort)?.[0] ?? 'difference'
  const asked = new URLSearchParams({ from, to, control, sort, limit: LIMIT })
  if (orgId !== null) asked.set('orgId', orgId)
  if (agentId !== null) asked.set('agentId', agentId)
  const pairs = useResource<ShadowPairs>(`/runtime/shadow/pairs?${asked}`)
  return (
    <section class="card" aria-labelledby="pairs">
      <h2 id="pairs">{t(SHADOW.singlePairs)}</h2>
      <p class="quiet">{t(SHADOW.singlePairsHint)}</p>
      <label class="select">
        {t(SHADOW.order)}{' '}
        <select
          name="sort"
          value={sort}
          onChange={({ currentTarget }) =>
            route(`/console/shadow?${new URLSearchParams({ ...query, sort: currentTarget.value })}`)
          }
        >
          {SORTS.map(([one, name]) => (
            <option key={one} value={one}>
              {t(name)}
            </option>
          ))}
        </select>
      </label>
      <Loaded resource={pairs}>
        {({ pairs: listed, compared }) =>
          listed.length === 0 ? (
            <p>{t(SHADOW.noPairs)}</p>
          ) : (
            <>
              <Table pairs={listed} />
              <p class="quiet">{t(SHADOW.shownOf, { shown: listed.length, compared: count(compared) })}</p>
            </>
          )
        }
      </Loaded>
    </section>
  )
}

function Table({ pairs }: { readonly pairs: readonly ShadowPair[] }) {
  return (
    <Scroll name={t(SHADOW.singlePairs)}>
      <table class="pairs">
        <thead>
          <tr>
            <th scope="col" class="number">
              {t(SHADOW.difference)}
            </th>
            <th scope="col">{t(SHADOW.turn)}</th>
            <th scope="col">{t(SHADOW.differsIn)}</th>
            <th scope="col">{t(SHADOW.control)}</th>
            <th scope="col">{t(SHADOW.candidate)}</th>
          </tr>
        </thead>
        <tbody>
          {pairs.map((pair, at) => (
            <Row key={pair.messageId ?? at} pair={pair} />
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function Row({
  pair: { at, orgId, agentId, sessionId, messageId, difference, parts, ...pair },
}: {
  readonly pair: ShadowPair
}) {
  return (
    <>
      <tr>
        <td class="number">{difference.toFixed(2)}</td>
        <th scope="row">
          <code>{messageId ?? t(SHADOW.noId)}</code>
          <small>
            <Time at={at} /> · {orgId} · {agentId}
            {sessionId !== null && (
              <>
                {' '}
                · {t(SHADOW.session)} <code>{sessionId}</code>
              </>
            )}
          </small>
        </th>
        <td>{mostOf(parts)}</td>
        <td>
          <Side side={pair.control} />
        </td>
        <td>
          <Side side={pair.candidate} />
        </td>
      </tr>
      {pair.content !== undefined && (
        <tr>
          <td colSpan={5}>
            <details>
              <summary>{t(SHADOW.answers)}</summary>
              <div class="pair">
                <div>
                  <h3>{t(SHADOW.control)}</h3>
                  <p class="answer-text">{pair.content.control}</p>
                </div>
                <div>
                  <h3>{t(SHADOW.candidate)}</h3>
                  <p class="answer-text">{pair.content.candidate}</p>
                </div>
              </div>
            </details>
          </td>
        </tr>
      )}
    </>
  )
}

/** The three parts that differ most. */
const mostOf = (parts: ShadowPair['parts']): string =>
  (Object.keys(PAIR_PARTS) as (keyof ShadowPair['parts'])[])
    .flatMap((name) => {
      const value = parts[name]
      return value === null || value === 0 ? [] : [{ name, value }]
    })
    .sort((a, b) => b.value - a.value)
    .slice(0, 3)
    .map(({ name, value }) => `${t(PAIR_PARTS[name])} ${value.toFixed(2)}`)
    .join(' · ') || '–'

function Side({ side: { result, code, latencyMs, characters } }: { readonly side: ShadowPair['control'] }) {
  return (
    <span class="figure">
      {result === 'ok' ? '' : <span class="badge bad">{code ?? result}</span>}{' '}
      <span class="unbroken">{duration(latencyMs)}</span>
      <small> {t(SHADOW.characters, { count: count(characters) })}</small>
    </span>
  )
}
