import nock from 'nock'

// nock takes the http module over as soon as it is imported, and connections are no longer kept alive then: tests of
// other files must not feel it.
nock.restore()

/** For a `describe` of request shapes: no network but nock's while it runs. */
export function useNock(): typeof nock {
  before(() => {
    nock.activate()
    nock.disableNetConnect()
  })
  afterEach(() => nock.cleanAll())
  after(() => {
    nock.enableNetConnect()
    nock.restore()
  })
  return nock
}
