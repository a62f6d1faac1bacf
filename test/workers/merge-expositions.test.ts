import { expect } from 'chai'
import { mergeExpositions } from '../../src/workers/merge-expositions.js'

const body = (worker: number, end = '') => `# HELP turns_total Turns
# TYPE turns_total counter
turns_total{worker="${worker}"} ${worker}

# HELP open Streams
# TYPE open gauge
open{worker="${worker}"} 1
${end}`

describe('the expositions of several workers', () => {
  it('are one with each metric once and the samples of all', () => {
    expect(mergeExpositions([body(1), body(2)])).to.equal(`# HELP turns_total Turns
# TYPE turns_total counter
turns_total{worker="1"} 1
turns_total{worker="2"} 2
# HELP open Streams
# TYPE open gauge
open{worker="1"} 1
open{worker="2"} 1
`)
  })

  it('have one end mark in OpenMetrics', () => {
    expect(mergeExpositions([body(1, '# EOF\n'), body(2, '# EOF\n')]).match(/# EOF/g)).to.have.length(1)
  })

  it('have what one worker alone knows', () => {
    const merged = mergeExpositions([body(1), '# HELP other Other\n# TYPE other gauge\nother 1\n'])
    expect(merged).to.contain('open{worker="1"} 1\n# HELP other Other\n# TYPE other gauge\nother 1\n')
  })
})
