import { expect } from 'chai'
import { z } from 'zod'
import { FEATURE_FLAGS, LEASES } from '../../support/kubernetes-api.js'
import type { ApiServer } from './kubernetes-store-contract.js'

/** Objects that the store makes too: they are gone after each test. */
const NAME = 'chat-cutover-fallback'
const answerSchema = z.looseObject({
  message: z.string().optional(),
  reason: z.string().optional(),
  metadata: z.looseObject({ uid: z.string().optional(), resourceVersion: z.string().optional() }).optional(),
})
type Answer = z.infer<typeof answerSchema>

const FLAG = { state: 'ENABLED', variants: {}, defaultVariant: 'x' }
const featureFlag = (flags: unknown, metadata: object = {}) => ({
  apiVersion: 'core.openfeature.dev/v1beta1',
  kind: 'FeatureFlag',
  metadata: { name: NAME, ...metadata },
  spec: { flagSpec: { flags } },
})
const lease = (spec: object, metadata: object = {}) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: NAME, ...metadata },
  spec,
})

/** How an API server answers what the store may ask: the stand-in answers as a real one does. No object is there before each test. */
export function apiServerAnswers(server: () => ApiServer): void {
  const send = async (method: string, path: string, body?: object) => {
    const { url, namespace } = server()
    const response = await fetch(url + path.replace('/namespaces/chat/', `/namespaces/${namespace}/`), {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, text: await response.text() }
  }
  async function expectAnswer(
    call: Parameters<typeof send>,
    status: number,
    reason?: string,
    message?: string,
  ): Promise<Answer> {
    const answered = await send(...call)
    const what = `${call.join(' ')}: ${answered.text}`
    expect(answered.status, what).to.equal(status)
    const answer = answerSchema.parse(JSON.parse(answered.text))
    if (status >= 300) expect([answer.reason, answer.message], what).to.deep.equal([reason, message])
    return answer
  }

  it('answers what is not there', async () => {
    const missing = (plural: string) => `${plural} "${NAME}" not found`
    const flagMissing = missing('featureflags.core.openfeature.dev')
    const leaseMissing = missing('leases.coordination.k8s.io')
    for (const [path, message] of [
      [FEATURE_FLAGS, flagMissing],
      [LEASES, leaseMissing],
    ] as const) {
      const answer = await expectAnswer(['GET', `${path}/${NAME}`], 404, 'NotFound', message)
      expect(answer).to.have.nested.property('details.name', NAME)
    }
    const unknown = await send('GET', '/apis/no.such.group/v1/namespaces/chat/things')
    expect(unknown).to.deep.equal({ status: 404, text: '404 page not found\n' })
    const query = `?fieldSelector=metadata.name%3D${NAME}`
    const none = await expectAnswer(['GET', `${FEATURE_FLAGS}${query}`], 200)
    expect(none).to.deep.include({ kind: 'FeatureFlagList', items: [] })
    expect(none.metadata?.resourceVersion).to.match(/^\d+$/)
    const elsewhere = FEATURE_FLAGS.replace('/chat/', '/chat-cutover-nowhere/')
    await expectAnswer(
      ['POST', elsewhere, featureFlag({})],
      404,
      'NotFound',
      'namespaces "chat-cutover-nowhere" not found',
    )
  })

  it('makes what is not there, and replaces the version that is named', async () => {
    for (const [collection, plural, object] of [
      [FEATURE_FLAGS, 'featureflags.core.openfeature.dev', (meta: object) => featureFlag({}, meta)],
      [LEASES, 'leases.coordination.k8s.io', (meta: object) => lease({}, meta)],
    ] as const) {
      const path = `${collection}/${NAME}`
      await expectAnswer(
        ['POST', collection, object({ resourceVersion: '5' })],
        500,
        undefined,
        'resourceVersion should not be set on objects to be created',
      )
      const made = await expectAnswer(['POST', collection, object({})], 201)
      const { uid, resourceVersion } = made.metadata ?? {}
      await expectAnswer(
        ['POST', collection, object({})],
        409,
        'AlreadyExists',
        `${plural} "${NAME}" already exists`,
      )
      await expectAnswer(
        ['PUT', path, object({})],
        422,
        'Invalid',
        `${plural} "${NAME}" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`,
      )
      await expectAnswer(
        ['PUT', path, object({ resourceVersion: '1' })],
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${plural} "${NAME}": the object has been modified; please apply your changes to the latest version and try again`,
      )
      const same = await expectAnswer(['PUT', path, made], 200)
      expect(same.metadata?.resourceVersion, 'nothing is written').to.equal(resourceVersion)
      await server().delete(collection, NAME)
      // One kind may be made by a PUT, but not with the uid of the one that was deleted.
      const gone = await send('PUT', path, object({ uid, resourceVersion }))
      expect(gone.status).to.equal(collection === LEASES ? 409 : 404)
      const again = await send('PUT', path, object({ resourceVersion }))
      expect(again.status).to.equal(collection === LEASES ? 201 : 404)
    }
  })

  it('refuses flags that the schema does not allow', async () => {
    const path = 'spec.flagSpec.flags'
    const wrong = (at: string, type: string, is: string) =>
      `${path}.x${at}: Invalid value: "${is}": ${path}.x${at} in body must be of type ${type}: "${is}"`
    const { state: _state, ...noState } = FLAG
    for (const [flags, fault] of [
      [undefined, `${path}: Required value`],
      [{ x: 'on' }, wrong('', 'object', 'string')],
      [{ x: noState }, `${path}.x.state: Required value`],
      [
        { x: { ...FLAG, state: 'ON' } },
        `${path}.x.state: Unsupported value: "ON": supported values: "ENABLED", "DISABLED"`,
      ],
      [{ x: { ...FLAG, defaultVariant: null } }, `${path}.x.defaultVariant: Required value`],
      [{ x: { ...FLAG, targeting: [] } }, wrong('.targeting', 'object', 'array')],
      [
        { x: {} },
        `[${['defaultVariant', 'state', 'variants'].map((field) => `${path}.x.${field}: Required value`).join(', ')}]`,
      ],
    ] as const)
      await expectAnswer(
        ['POST', FEATURE_FLAGS, featureFlag(flags)],
        422,
        'Invalid',
        `FeatureFlag.core.openfeature.dev "${NAME}" is invalid: ${fault}`,
      )
    await expectAnswer(
      ['POST', FEATURE_FLAGS, featureFlag({}, { annotations: { large: 'x'.repeat(270_000) } })],
      422,
      'Invalid',
      `FeatureFlag.core.openfeature.dev "${NAME}" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes`,
    )
    const seconds = await send('POST', LEASES, lease({ renewTime: '2026-01-01T00:00:00Z' }))
    expect(seconds.status, 'a time has microseconds').to.equal(400)
  })

  it('drops what the schema does not know, and null', async () => {
    const flag = { ...FLAG, variants: { a: null }, metadata: { b: 'c' } }
    const object = featureFlag({ x: { ...flag, targeting: null, more: 1 } })
    const flagSpec = { ...object.spec.flagSpec, $schema: 'x', $evaluators: null }
    const made = await expectAnswer(['POST', FEATURE_FLAGS, { ...object, spec: { flagSpec } }], 201)
    expect(made).to.have.deep.property('spec', { flagSpec: { flags: { x: flag } } })
    await server().delete(FEATURE_FLAGS, NAME)
    expect(
      await expectAnswer(['POST', FEATURE_FLAGS, { ...object, spec: undefined }], 201),
    ).to.not.have.property('spec')
  })

  it('tells a watch from a version that is gone in its first event', async () => {
    const query = `?watch=1&fieldSelector=metadata.name%3D${NAME}&resourceVersion=1&timeoutSeconds=5`
    const { status, text } = await send('GET', `${FEATURE_FLAGS}${query}`)
    expect(status).to.equal(200)
    const event: unknown = JSON.parse(text)
    expect(event).to.have.property('type', 'ERROR')
    expect(event).to.have.property('object').that.deep.includes({ code: 410, reason: 'Expired' })
    expect(event)
      .to.have.nested.property('object.message')
      .that.matches(/^too old resource version: 1 \(\d+\)$/)
  })
}
