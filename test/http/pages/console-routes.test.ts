import { expect } from 'chai'
import { type Edge, startEdge } from '../../support/edge.js'

describe('the files of the console', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge()
  })
  after(() => edge.close())

  it('are the page at each of its addresses, under a policy without exceptions', async () => {
    for (const path of ['/console', '/console/fallback', '/console/shadow/some-id']) {
      const response = await fetch(edge.url + path)
      expect(response.status, path).to.equal(200)
      expect(response.headers.get('content-type')).to.match(/^text\/html/)
      expect(await response.text()).to.include('<div id="app">')
      const policy = response.headers.get('content-security-policy')
      expect(policy).to.include("default-src 'none'").and.include("script-src 'self'")
      expect(policy).not.to.match(/unsafe|\*/)
      expect(response.headers.get('cache-control')).to.equal('no-cache')
    }
  })

  it('are scripts and styles that a browser keeps, compressed where it takes that', async () => {
    const page = await (await fetch(`${edge.url}/console`)).text()
    const assets = [...page.matchAll(/(?:src|href)="(\/console\/assets\/[^"]+)"/g)].map(([, path]) => path)
    expect(assets).to.have.length(3)
    for (const path of assets) {
      const response = await fetch(`${edge.url}${path}`, { headers: { 'accept-encoding': 'gzip' } })
      expect(response.status, path).to.equal(200)
      expect(response.headers.get('cache-control')).to.include('immutable')
      expect(response.headers.get('content-encoding')).to.equal('gzip')
      const plain = await fetch(`${edge.url}${path}`, { headers: { 'accept-encoding': 'identity' } })
      expect(plain.headers.get('content-encoding')).to.equal(null)
      expect(await plain.text()).to.equal(await response.text())
    }
  })

  it('are no other files', async () => {
    for (const path of [
      '/console/assets/..%2findex.html',
      '/console/assets/index.html',
      '/console/assets/x-00000000.js',
      '/console/a/b/c',
    ]) {
      expect((await fetch(edge.url + path)).status, path).to.equal(404)
    }
  })
})
