import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { isPostgresUrl, postgresAddress, shownUrl } from '../../../src/core/postgres/postgres-url.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('the URL of a PostgreSQL database', () => {
  const directory = temporaryDirectory()
  const URL_OF = 'postgres://chat:secret@db.example:5433/chat'

  it('is told from the path of a file', () => {
    for (const url of [URL_OF, 'postgresql:///chat?host=/run/postgresql', 'POSTGRES://db/chat'])
      expect(isPostgresUrl(url), url).to.equal(true)
    for (const path of ['data/chat.db', ':memory:', 'postgres.db', 'mysql://db/chat'])
      expect(isPostgresUrl(path), path).to.equal(false)
  })

  it('says how the way is secured', () => {
    writeFileSync(directory.path('ca.pem'), 'the CA')
    const ca = directory.path('ca.pem')
    const tls = (query: string) => postgresAddress(`${URL_OF}?${query}`).tls
    expect(tls('application_name=x')).to.equal(undefined)
    expect(tls('sslmode=disable')).to.equal(undefined)
    expect(tls('sslmode=require')).to.include({ rejectUnauthorized: false })
    expect(tls(`sslmode=require&sslrootcert=${ca}`)).to.include({ rejectUnauthorized: true, ca: 'the CA' })
    expect(tls('sslmode=verify-ca')).to.have.keys('rejectUnauthorized', 'checkServerIdentity')
    expect(tls(`sslmode=verify-full&sslrootcert=${ca}`)).to.deep.equal({
      rejectUnauthorized: true,
      ca: 'the CA',
    })
  })

  it('keeps whatever else it says', () => {
    const { url } = postgresAddress(`${URL_OF}?sslmode=require&application_name=x`)
    expect(url).to.equal(`${URL_OF}?application_name=x`)
  })

  it('is refused with its fault and without its password', () => {
    const faults = {
      'sslmode=prefer': 'has sslmode=prefer: use one of disable, require, verify-ca, verify-full',
      'sslmode=require&sslrootcert=/nowhere': 'has sslrootcert=/nowhere, which cannot be read',
    }
    for (const [query, text] of Object.entries(faults))
      expect(() => postgresAddress(`${URL_OF}?${query}`))
        .to.throw(text)
        .with.property('message')
        .that.does.not.include('secret')
    expect(() => postgresAddress('postgres://:port')).to.throw('is not a URL like')
    expect(() => postgresAddress('postgres://')).to.throw('names no host')
    expect(() => postgresAddress('postgres:///chat?host=/run/postgresql')).not.to.throw()
  })

  it('is shown without user, password and parameters', () => {
    expect(shownUrl(`${URL_OF}?password=secret`)).to.equal('postgres://db.example:5433/chat')
    expect(shownUrl('postgres://chat:secret@')).to.equal('postgres://…')
  })
})
