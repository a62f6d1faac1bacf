import { expect } from 'chai'
import { Webhook } from 'standardwebhooks'
import type { Notice } from '../../src/journal/journal.js'
import { notificationBody } from '../../src/notifications/notification-body.js'
import { chatSignature, feishuSign, standardWebhookHeaders } from '../../src/notifications/signature.js'
import { flagEditNotificationSchema, notificationSchema } from '../../src/protocol/notification.js'
import { sampleEdit } from '../support/flag-edits.js'
import { sampleTransition } from '../support/transitions.js'

const T = 1_767_225_600

/** HMAC-SHA256 by another library than the one under test uses. */
async function hmac(key: string, message: string): Promise<Buffer> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', Buffer.from(key), algorithm, false, ['sign'])
  return Buffer.from(await crypto.subtle.sign('HMAC', imported, Buffer.from(message)))
}

describe('a signature', () => {
  it('of ours is verified as its description says', async () => {
    const body = '{"text":"你好"}'
    const header = chatSignature(body, 'secret', T)
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? []
    expect(t).to.equal(String(T))
    expect(v1).to.equal((await hmac('secret', `${t}.${body}`)).toString('hex'))
    expect(chatSignature(`${body} `, 'secret', T)).to.not.equal(header)
  })

  it('of Standard Webhooks is the one its libraries make', () => {
    // The example of the reference implementations.
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const headers = standardWebhookHeaders(
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      '{"test": 2432232314}',
      secret,
      1_614_265_330,
    )
    expect(headers).to.deep.equal({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('for Feishu has time and secret as its key and signs nothing', async () => {
    expect(feishuSign('secret', T)).to.equal((await hmac(`${T}\nsecret`, '')).toString('base64'))
  })
})

describe('the body of a notification', () => {
  const transition = sampleTransition({ evidence: { total: 20 }, guardrails: { errorRate: 0.5 } })
  const parsed = (format: 'json' | 'slack' | 'feishu', secret?: string, sent: Notice = transition) => {
    const options = { format, sender: 'replica-b', ...(secret === undefined ? {} : { secret }) }
    const { body, headers } = notificationBody(sent, options, T)
    const value: unknown = JSON.parse(body)
    return { body, headers, value }
  }

  it('as JSON is all that is known, in both languages', () => {
    const { value, headers } = parsed('json')
    const notification = notificationSchema.parse(value)
    expect(notification).to.deep.include({
      service: 'chat-cutover',
      sender: 'replica-b',
      kind: 'trip',
      at: '2026-01-01T00:00:00.000Z',
      holdUntil: '2026-01-01T00:00:30.000Z',
      reason: '错误率过高: 55.00% (阈值: 50.00%)',
      evidence: { total: 20 },
      guardrails: { errorRate: 0.5 },
    })
    expect(notification.text['zh-CN']).to.contain('自动回退到 direct 模式')
    expect(notification.text.en).to.contain('Automatic fallback to direct mode')
    expect(headers).to.deep.equal({
      'content-type': 'application/json; charset=utf-8',
      'x-chat-transition-id': encodeURIComponent(notification.transitionId),
    })
  })

  it('names the same transition alike, whoever sends it and when, and no other', () => {
    const id = (more = {}): string =>
      notificationSchema.parse(parsed('json', undefined, sampleTransition(more)).value).transitionId
    expect(id({ evidence: { total: 1 } })).to.equal(id())
    const others = [{ revision: 8 }, { replica: 'b' }, { at: 1 }, { kind: 'reset' }].map(id)
    expect(new Set([id(), ...others]).size).to.equal(5)
  })

  it('is verified by a library of Standard Webhooks, and refused where anything was changed', () => {
    const now = Math.floor(Date.now() / 1000)
    const plain = 'a secret of no special form'
    const standard = `whsec_${Buffer.from('a key of at least 24 bytes').toString('base64')}`
    for (const [secret, receiver] of [
      [plain, `whsec_${Buffer.from(plain).toString('base64')}`],
      [standard, standard],
    ] as const)
      for (const format of ['json', 'slack'] as const) {
        const { body, headers } = notificationBody(transition, { format, sender: 'b', secret }, now)
        const webhook = new Webhook(receiver)
        expect(webhook.verify(body, headers)).to.deep.equal(JSON.parse(body))
        expect(() => webhook.verify(`${body} `, headers)).to.throw()
        expect(() => webhook.verify(body, { ...headers, 'webhook-id': 'another' })).to.throw()
        expect(() => new Webhook(`whsec_${btoa('another key')}`).verify(body, headers)).to.throw()
      }
  })

  it('has an id for Standard Webhooks that keeps to one part of what is signed', () => {
    const sent = sampleTransition({ replica: 'chat.example.org-1' })
    const options = { format: 'json', sender: 'b', secret: 's' } as const
    const { body, headers } = notificationBody(sent, options, T)
    const id = headers['webhook-id'] ?? ''
    expect(id).to.not.contain('.')
    expect(decodeURIComponent(id)).to.equal(notificationSchema.parse(JSON.parse(body)).transitionId)
  })

  it('is unsigned without a secret, and for Feishu has no headers of others', () => {
    for (const [format, secret] of [
      ['json', undefined],
      ['feishu', 's'],
    ] as const)
      expect(Object.keys(parsed(format, secret).headers)).to.deep.equal([
        'content-type',
        'x-chat-transition-id',
      ])
  })

  it("of an edit of the operators' flags says who changed what, in each format", () => {
    const edit = sampleEdit()
    const { headers, value } = parsed('json', undefined, edit)
    const told = flagEditNotificationSchema.parse(value)
    expect(told).to.deep.include({
      kind: 'flags_edited',
      at: '2026-01-01T00:00:00.000Z',
      userId: 'user-7',
      sender: 'replica-b',
      changes: edit.changes,
    })
    expect(headers['x-chat-transition-id']).to.equal(encodeURIComponent(told.transitionId))
    expect(told.text).to.deep.equal({
      'zh-CN':
        '[chat-cutover] 运维 flag 已修改: flags.chat-execution-mode.defaultVariant: null → "direct_llm"，$evaluators.runtime-enabled-orgs.in.1: +acme；操作人 user-7；副本 replica-a',
      en: '[chat-cutover] Operators\' flags edited: flags.chat-execution-mode.defaultVariant: null → "direct_llm", $evaluators.runtime-enabled-orgs.in.1: +acme; user user-7; replica replica-a',
    })
    expect(parsed('slack', undefined, edit).value).to.have.all.keys('text')
    expect(parsed('feishu', 's', edit).value).to.deep.include({ msg_type: 'text', timestamp: String(T) })
    const rude = sampleEdit({ userId: '<!channel>\n[chat-cutover]', changes: [{ path: 'p', long: true }] })
    expect(parsed('slack', undefined, rude).value)
      .to.have.property('text')
      .that.contains('user &lt;!channel&gt; [chat-cutover]')
      .and.contains('p: too long to repeat')
  })

  it('for Slack is a text', () => {
    const { value } = parsed('slack')
    expect(value).to.have.all.keys('text')
    expect(value)
      .to.have.property('text')
      .that.matches(/^\[chat-cutover\] Automatic.*\n\[chat-cutover\] 自动/)
  })

  it('for Feishu is a text message', () => {
    const { value } = parsed('feishu')
    expect(value).to.have.all.keys('msg_type', 'content')
    expect(value).to.deep.include({ msg_type: 'text' })
    expect(value)
      .to.have.nested.property('content.text')
      .that.matches(/^\[chat-cutover\] 自动.*\n.*Automatic/)
  })

  it('is signed where there is a secret, each format in its own way', () => {
    for (const format of ['json', 'slack'] as const) {
      const { body, headers, value } = parsed(format, 'secret')
      expect(headers['x-chat-signature']).to.equal(chatSignature(body, 'secret', T))
      expect(value).to.not.have.any.keys('sign', 'timestamp')
    }
    const { headers, value } = parsed('feishu', 'secret')
    expect(headers).to.not.have.property('x-chat-signature')
    expect(value).to.deep.include({ timestamp: String(T), sign: feishuSign('secret', T) })
    expect(JSON.stringify([parsed('json', 'hunter2'), parsed('feishu', 'hunter2')])).to.not.contain('hunter2')
  })

  it('makes nobody’s words a mention of everybody', () => {
    const reason = '<!channel> & <at user_id="all"></at>'
    const drill = sampleTransition({ actor: 'manual', to: 'normal', manualTo: 'all', reason })
    expect(parsed('slack', undefined, drill).body)
      .to.contain('&lt;!channel&gt; &amp; &lt;at')
      .and.not.contain('<')
    expect(parsed('feishu', undefined, drill).body).to.not.contain('<')
    expect(parsed('json', undefined, drill).value).to.include({ reason })
  })
})
