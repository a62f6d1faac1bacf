import { expect } from 'chai'
import fc from 'fast-check'
import { readTraceContext, traceHeaders } from '../../../src/core/tracing/trace-context.js'
import { codePoint } from '../../support/code-point.js'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('the trace context of a request', () => {
  it('is carried on as it came', () => {
    for (const tracestate of ['', 'vendor=opaque', 'a=1,b=2']) {
      const context = readTraceContext(PARENT, tracestate)
      expect(context && traceHeaders(context)).to.deep.equal(
        tracestate === '' ? { traceparent: PARENT } : { traceparent: PARENT, tracestate },
      )
    }
  })

  it('is understood of a later version, and told in ours', () => {
    const context = readTraceContext(`${PARENT.replace(/^00/, '01')}-more`, '')
    expect(context && traceHeaders(context)).to.deep.equal({ traceparent: PARENT })
  })

  it('is none where it is wrong', () => {
    const wrong = [
      '',
      'nonsense',
      PARENT.toUpperCase(),
      PARENT.replace(/^00/, 'ff'),
      `${PARENT}-more`,
      PARENT.replace(/-[\da-f]{32}-/, `-${'0'.repeat(32)}-`),
      PARENT.replace(/-[\da-f]{16}-/, `-${'0'.repeat(16)}-`),
      PARENT.slice(0, -1),
    ]
    for (const traceparent of wrong)
      expect(readTraceContext(traceparent, 'a=1'), traceparent).to.equal(undefined)
  })

  it('never throws, and makes one line of visible characters, whatever a client sends', () => {
    const parent = fc.oneof(fc.constant(PARENT), fc.string())
    fc.assert(
      fc.property(parent, fc.string({ unit: codePoint }), (traceparent, tracestate) => {
        const context = readTraceContext(traceparent, tracestate)
        const headers = context === undefined ? {} : traceHeaders(context)
        for (const value of Object.values(headers)) expect(value).to.match(/^[\x20-\x7e]*$/)
      }),
    )
  })
})
