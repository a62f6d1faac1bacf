import { expect } from 'chai'
import type { Clock } from '../../src/core/clock.js'
import { createNotifier, type Notifier } from '../../src/notifications/notifier.js'
import type { Receipt } from '../../src/notifications/receipt.js'
import type { SendRequest } from '../../src/notifications/sender.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { sampleTransition } from '../support/transitions.js'

const URL_WITH_SECRETS = 'https://me:hunter2@hooks.test:8443/services/hunter2?key=hunter2'

interface Sent extends SendRequest {
  readonly at: number
  readonly revision: number
  answer(receipt: Partial<Receipt>): Promise<void>
  fail(code: string): Promise<void>
}

/** All that is ready to run has run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('the notifier', () => {
  let clock: ManualClock
  let notifier: Notifier
  let sent: Sent[]
  let lines: Record<string, unknown>[]

  const send = (request: SendRequest): Promise<Receipt> =>
    new Promise((resolve, reject) => {
      const { revision } = JSON.parse(request.body)
      sent.push({
        ...request,
        at: clock.monotonic(),
        revision,
        answer(receipt) {
          resolve({ status: 200, body: '', ...receipt })
          return settle()
        },
        fail(code) {
          reject(Object.assign(new Error('connect to hunter2'), { code }))
          return settle()
        },
      })
    })
  const make = (time: Clock = clock): Notifier => {
    const capturing = capturingLogger()
    lines = capturing.lines
    const { logger } = capturing
    const url = URL_WITH_SECRETS
    return createNotifier({ url, format: 'json', clock: time, logger, replica: 'a', send, random: () => 1 })
  }
  const notify = async (...revisions: number[]): Promise<void> => {
    for (const revision of revisions) notifier.notify(sampleTransition({ revision }))
    await settle()
  }
  const last = (): Sent => {
    const request = sent.at(-1)
    if (request === undefined) throw new Error('nothing was sent')
    return request
  }
  const pass = (ms: number): Promise<void> => {
    clock.advance(ms)
    return settle()
  }
  const revisions = (): number[] => sent.map(({ revision }) => revision)
  const words = (): unknown[] => lines.map(({ msg }) => msg)

  beforeEach(() => {
    clock = manualClock()
    sent = []
    notifier = make()
  })
  afterEach(async () => {
    const closed = notifier.close()
    await settle()
    clock.advance(1_000)
    await closed
    expect(clock.pending()).to.equal(0)
    expect(JSON.stringify(lines)).to.not.contain('hunter2')
  })

  it('does nothing in the turn of whoever tells it', async () => {
    notifier.notify(sampleTransition())
    expect(sent).to.have.length(0)
    await settle()
    expect(last()).to.include({ url: URL_WITH_SECRETS, revision: 7 })
    await last().answer({})
    expect(clock.pending()).to.equal(0)
    expect(lines).to.deep.equal([])
  })

  it('tells one after the other, in order, also behind one that has to be told again', async () => {
    await notify(1, 2, 3)
    expect(revisions()).to.deep.equal([1])
    await last().answer({ status: 503 })
    await pass(1_000)
    expect(revisions()).to.deep.equal([1, 1])
    await last().answer({})
    await last().answer({})
    await last().answer({})
    expect(revisions()).to.deep.equal([1, 1, 2, 3])
    await notify(4)
    expect(revisions()).to.deep.equal([1, 1, 2, 3, 4])
    await last().answer({})
  })

  it('tries five times, later and later, and then says so once', async () => {
    await notify(1, 2)
    for (const pause of [1_000, 2_000, 4_000, 8_000]) {
      await last().fail('ECONNREFUSED')
      await pass(pause - 1)
      const tries = sent.length
      await pass(1)
      expect(sent).to.have.length(tries + 1)
    }
    expect(lines).to.deep.equal([])
    await last().answer({ status: 500 })
    expect(revisions()).to.deep.equal([1, 1, 1, 1, 1, 2])
    expect(lines).to.have.length(1)
    expect(lines[0]).to.include({ host: 'hooks.test:8443', why: 'status 500', attempts: 5, revision: 1 })
    expect(notifier.givenUp).to.equal(1)
    await last().answer({})
    expect(lines).to.have.length(1)
  })

  it('does not insist where it is refused', async () => {
    await notify(1, 2)
    await last().answer({ status: 404 })
    expect(revisions()).to.deep.equal([1, 2])
    expect(lines[0]).to.include({ why: 'status 404', attempts: 1 })
    await last().answer({})
  })

  it('waits for as long as it is asked to', async () => {
    await notify(1)
    await last().answer({ status: 429, retryAfter: '20' })
    await pass(19_999)
    expect(sent).to.have.length(1)
    await pass(1)
    expect(sent).to.have.length(2)
    await last().answer({})
  })

  it('cuts an attempt off after five seconds, even one that does not listen', async () => {
    await notify(1)
    const first = last()
    await pass(4_999)
    expect(first.signal.aborted).to.equal(false)
    await pass(1)
    expect(first.signal.aborted).to.equal(true)
    await pass(1_000)
    expect(sent).to.have.length(2)
    // An answer that comes after all changes nothing, and neither does a fault.
    await first.fail('ECONNRESET')
    await last().answer({})
    expect(notifier.givenUp).to.equal(0)
  })

  it('signs each attempt anew', async () => {
    notifier = createNotifier({
      url: 'https://hooks.test/',
      format: 'json',
      secret: 'secret',
      clock,
      logger: capturingLogger().logger,
      replica: 'a',
      send,
      random: () => 1,
    })
    await notify(1)
    await last().answer({ status: 500 })
    await pass(1_000)
    const times = sent.map(({ headers }) => headers['x-chat-signature']?.match(/^t=(\d+),/)?.[1])
    expect(Number(times[1]) - Number(times[0])).to.equal(1)
    await last().answer({})
  })

  it('lets a hundred wait and drops the oldest of more, telling it when it begins and when it is over', async () => {
    await notify(0)
    await notify(...Array.from({ length: 130 }, (_, index) => index + 1))
    expect(notifier.dropped).to.equal(30)
    expect(words()).to.deep.equal(['[Notify] notifications are being dropped'])
    while (sent.length <= 100) await last().answer({})
    await last().answer({})
    expect(revisions()).to.deep.equal([0, ...Array.from({ length: 100 }, (_, index) => index + 31)])
    expect(words().slice(1)).to.deep.equal(['[Notify] no more notifications are dropped'])
    expect(lines[1]).to.include({ dropped: 30 })
  })

  it('gives up what cannot be told as JSON', async () => {
    notifier.notify(sampleTransition({ evidence: 1n }))
    await notify(2)
    expect(revisions()).to.deep.equal([2])
    expect(lines[0]).to.include({ why: 'no JSON' })
    await last().answer({})
  })

  describe('when it is closed', () => {
    it('ends at once where nothing waits, and takes no more', async () => {
      await notifier.close()
      await notify(1)
      expect(sent).to.have.length(0)
      expect(notifier.dropped).to.equal(1)
    })

    it('tries what waits once', async () => {
      await notify(1, 2, 3)
      await last().answer({ status: 500 })
      const closed = notifier.close()
      await settle()
      expect(revisions()).to.deep.equal([1, 1])
      await last().answer({ status: 500 })
      await last().answer({})
      await last().fail('ECONNRESET')
      await closed
      expect(revisions()).to.deep.equal([1, 1, 2, 3])
      expect(lines.map(({ revision }) => revision)).to.deep.equal([1, 3])
    })

    it('lets what is under way end', async () => {
      await notify(1)
      const closed = notifier.close()
      await settle()
      expect(sent).to.have.length(1)
      await last().answer({})
      await closed
      expect(lines).to.deep.equal([])
    })

    it('ends after a second, whatever the other side does', async () => {
      await notify(1, 2, 3)
      const closed = Promise.all([notifier.close(), notifier.close()])
      await pass(999)
      expect(last().signal.aborted).to.equal(false)
      await pass(1)
      await closed
      expect(revisions()).to.deep.equal([1])
      expect([notifier.givenUp, notifier.dropped]).to.deep.equal([1, 2])
      expect(lines[0]).to.include({ why: 'closed' })
    })
  })
})
