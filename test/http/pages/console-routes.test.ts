import { readdirSync, statSync } from 'node:fs'
import { expect } from 'chai'
import type { Alert } from '../../../src/fallback/fallback.js'
import { type Edge, startEdge } from '../../support/edge.js'

/** Typed, so that a new kind of alert is missed here. */
const ALERT_KINDS: Readonly<Record<Alert['kind'], true>> = {
  store_unreadable: true,
  not_persisted: true,
  not_propagated: true,
  override_unparsable: true,
  hand_edit_refused: true,
  override_missing: true,
  both_sick: true,
  local_trouble: true,
  store_unavailable: true,
  overload: true,
  redis_unreachable: true,
  keys_unreachable: true,
  standby_sick: true,
  recovery_waits: true,
  fallback_lasts: true,
  loop_failed: true,
}

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

  it('are where a browser is led to that opens the service, and no program', async () => {
    const opened = await fetch(`${edge.url}/`, {
      headers: { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' },
      redirect: 'manual',
    })
    expect([opened.status, opened.headers.get('location')]).to.deep.equal([302, '/console'])
    expect(opened.headers.get('vary')).to.match(/\baccept\b/i)
    for (const accept of ['*/*', 'application/json']) {
      const asked = await fetch(`${edge.url}/`, { headers: { accept }, redirect: 'manual' })
      expect(asked.status, accept).to.equal(404)
      expect(await asked.json(), accept).to.have.nested.property('error.code', 'not_found')
    }
  })

  it('are scripts and styles that a browser keeps, compressed where it takes that', async () => {
    const page = await (await fetch(`${edge.url}/console`)).text()
    const assets = [...page.matchAll(/(?:src|href)="(\/console\/assets\/[^"]+)"/g)].map(([, path]) => path)
    expect(assets).to.have.length.of.at.least(3)
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

  it('are the runbook too, with a section for every alert that the console links to', async () => {
    const response = await fetch(`${edge.url}/console/runbook`)
    expect(response.status).to.equal(200)
    expect(response.headers.get('content-security-policy')).to.include("default-src 'none'")
    const page = await response.text()
    for (const kind of Object.keys(ALERT_KINDS)) expect(page, kind).to.include(`<h3 id="${kind}">`)
    const anchors = [...page.matchAll(/href="#([^"]+)"/g)].map(([, anchor]) => anchor)
    expect(anchors.filter((anchor) => !page.includes(` id="${anchor}"`))).to.deep.equal([])
  })

  it('are at most 120 KiB, compressed, in all', () => {
    const names = readdirSync('dist/console', { recursive: true, encoding: 'utf8' })
    const sizes = names
      .filter((name) => name.endsWith('.gz') && name !== 'runbook.html.gz')
      .map((name) => statSync(`dist/console/${name}`).size)
    expect(sizes.length).to.be.greaterThan(3)
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.at.most(120 * 1024)
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
