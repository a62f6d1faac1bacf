import { expect } from 'chai'
import { ChangeListeners } from '../../src/decision/change-listeners.js'
import { capturingLogger } from '../support/capturing-logger.js'

function setUp() {
  const { logger, lines } = capturingLogger()
  return { listeners: new ChangeListeners(logger), lines }
}

describe('listeners to changes of the flags', () => {
  it('hear the keys, until they are stopped', () => {
    const { listeners } = setUp()
    const heard: (readonly string[])[] = []
    const stop = listeners.add((keys) => heard.push(keys))
    listeners.tell(['a', 'b'])
    listeners.tell([])
    stop()
    stop()
    listeners.tell(['c'])
    expect(heard).to.deep.equal([['a', 'b'], []])
  })

  it('hear of a change although another one throws, which is logged without its stack', () => {
    const { listeners, lines } = setUp()
    let heard = 0
    listeners.add(() => {
      throw new Error('broken')
    })
    listeners.add(() => {
      heard += 1
    })
    listeners.tell(['a'])
    expect(heard).to.equal(1)
    expect(lines).to.have.length(1)
    expect(lines[0]).to.include({ level: 50, err: 'broken', msg: '[Flags] a listener to changes failed' })
  })

  it('may come and go while they are told', () => {
    const { listeners } = setUp()
    const heard: string[] = []
    const stop = listeners.add(() => {
      stop()
      listeners.add(() => heard.push('late'))
      heard.push('first')
    })
    listeners.tell([])
    expect(heard).to.deep.equal(['first'])
    listeners.tell([])
    expect(heard).to.deep.equal(['first', 'late'])
  })

  it('are two when one function is added twice', () => {
    const { listeners } = setUp()
    let heard = 0
    const count = () => {
      heard += 1
    }
    const stop = listeners.add(count)
    listeners.add(count)
    stop()
    listeners.tell([])
    expect(heard).to.equal(1)
  })

  it('hear nothing after the end', () => {
    const { listeners, lines } = setUp()
    const heard: string[] = []
    listeners.add((keys) => heard.push(...keys))
    listeners.clear()
    listeners.tell(['a'])
    expect(heard).to.deep.equal([])
    expect(lines).to.deep.equal([])
  })
})
