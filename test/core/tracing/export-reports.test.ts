import { expect } from 'chai'
import { ExportReports } from '../../../src/core/tracing/export-reports.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'

function reportsOf(queueSize: number) {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const reports = new ExportReports(queueSize, clock, logger)
  const offer = (spans: number): void => {
    for (let n = 0; n < spans; n += 1) reports.offered()
  }
  const told = () =>
    lines.splice(0).map(({ msg, spans, status, code }) => [String(msg).slice(9, 41), spans, status ?? code])
  return { clock, reports, offer, told }
}

describe('what the log says of the export of spans', () => {
  it('counts the spans that found the queue full, and tells them once a minute', () => {
    const { clock, reports, offer, told } = reportsOf(4)
    offer(3)
    const first = reports.left(2)
    offer(3)
    reports.taken(first)
    expect(told()).to.deep.equal([])
    offer(5)
    const second = reports.left(4)
    reports.taken(second)
    expect(told()).to.deep.equal([['the collector takes spans slower', 5, undefined]])
    offer(7)
    clock.advance(59_999)
    reports.taken(second)
    expect(told()).to.deep.equal([])
    clock.advance(1)
    reports.taken(second)
    reports.taken(second)
    expect(told()).to.deep.equal([['the collector takes spans slower', 3, undefined]])
  })

  it('tells once that the collector takes none, with the reason, and once that it does again', () => {
    const { reports, offer, told } = reportsOf(1)
    offer(3)
    reports.refused(reports.left(1), 1, Object.assign(new Error('Unauthorized'), { code: 401 }))
    reports.refused(reports.left(1), 1, Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
    expect(told()).to.deep.equal([['the collector takes no spans; th', 1, 401]])
    reports.taken(reports.left(1))
    expect(told()).to.deep.equal([['the collector takes spans again', undefined, undefined]])
    reports.refused(reports.left(2), 2, Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
    expect(told()).to.deep.equal([['the collector takes no spans; th', 2, 'ECONNREFUSED']])
  })

  it('says nothing of a batch that ran out of time after a newer one was taken', () => {
    const { reports, told } = reportsOf(8)
    const [oldest, older, newer] = [reports.left(1), reports.left(1), reports.left(1)]
    reports.taken(newer)
    reports.refused(older, 1, new Error('Request timed out'))
    expect(told()).to.deep.equal([])
    reports.taken(oldest)
    reports.refused(older, 1, new Error('Request timed out'))
    expect(told(), 'after an older one was taken as well').to.deep.equal([])
    reports.refused(reports.left(1), 1, new Error('Request timed out'))
    expect(told()).to.deep.equal([['the collector takes no spans; th', 1, undefined]])
  })
})
