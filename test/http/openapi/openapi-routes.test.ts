import { expect } from 'chai'
import { type Edge, startEdge } from '../../support/edge.js'

describe('GET /openapi.json and /docs', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge()
  })
  after(() => edge.close())

  it('answers everybody with the document, and 304 to whoever has it', async () => {
    const first = await fetch(`${edge.url}/openapi.json`)
    expect(first.status).to.equal(200)
    expect(first.headers.get('content-type')).to.equal('application/json; charset=utf-8')
    const document: unknown = await first.json()
    expect(document)
      .to.have.nested.property('info.version')
      .that.matches(/^\d+\.\d+\.\d+/)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).to.match(/^W\/"[\w-]{43}"$/)
    const again = await fetch(`${edge.url}/openapi.json`, { headers: { 'if-none-match': etag } })
    expect(again.status).to.equal(304)
    expect(await again.text()).to.equal('')
  })

  it('answers with a page that may load nothing from elsewhere, and whose parts are all there', async () => {
    const response = await fetch(`${edge.url}/docs`)
    expect(response.status).to.equal(200)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy)
      .to.include("default-src 'none'")
      .and.not.match(/https?:|unsafe|\*/)
    const page = await response.text()
    expect(page).not.to.match(/(?:src|href)="(?:https?:)?\/\//)
    const parts = [...page.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map((match) => match[1] ?? '')
    expect(parts.length).to.equal(6)
    for (const part of parts) {
      const file = await fetch(`${edge.url}/${part}`)
      expect(file.status, `${part}, which npm run build makes`).to.equal(200)
      expect(file.headers.get('x-content-type-options'), part).to.equal('nosniff')
      const etag = file.headers.get('etag') ?? ''
      const again = await fetch(`${edge.url}/${part}`, { headers: { 'if-none-match': etag } })
      expect(again.status, part).to.equal(304)
    }
  })

  it('gives the same bytes to a client without gzip', async () => {
    const get = (encoding: string) =>
      fetch(`${edge.url}/docs/swagger-ui.css`, { headers: { 'accept-encoding': encoding } })
    const [packed, plain] = [await get('gzip'), await get('identity')]
    expect(packed.headers.get('content-encoding')).to.equal('gzip')
    expect(plain.headers.get('content-encoding')).to.equal(null)
    expect(await plain.text()).to.equal(await packed.text())
  })

  it('knows no other files', async () => {
    for (const name of ['package.json', '..%2F..%2Fpackage.json', '__proto__', 'swagger-ui.css.gz'])
      expect((await fetch(`${edge.url}/docs/${name}`)).status, name).to.equal(404)
  })
})
