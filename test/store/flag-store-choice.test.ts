import { expect } from 'chai'
import { parseFlagStore } from '../../src/store/flag-store-choice.js'

const POSTGRES = 'postgres://chat@db.test:5432/chat'
const context = { database: 'data/chat.db' }

const choice = (value: string, database = context.database, kubernetesHost?: string) => {
  const result = parseFlagStore(value, { database, kubernetesHost })
  return result.kind === 'choice' ? result.choice : result.fault.en
}

describe('the choice of a flag store', () => {
  it('is files by default', () => {
    expect(choice('file:')).to.deep.equal({ kind: 'file' })
  })

  it('is the database, or one of its own', () => {
    expect(choice('postgres:', POSTGRES)).to.deep.equal({ kind: 'postgres', url: POSTGRES })
    expect(choice(POSTGRES)).to.deep.equal({ kind: 'postgres', url: POSTGRES })
    expect(choice('postgresql://db.test/other', POSTGRES)).to.deep.equal({
      kind: 'postgres',
      url: 'postgresql://db.test/other',
    })
  })

  it('is the cluster of the pod, or the server that is named', () => {
    expect(choice('kubernetes:', '', '10.0.0.1')).to.deep.equal({ kind: 'kubernetes' })
    expect(choice('kubernetes:chat', '', '10.0.0.1')).to.deep.equal({ kind: 'kubernetes', namespace: 'chat' })
    expect(choice('kubernetes:chat?server=http://127.0.0.1:8001/')).to.deep.equal({
      kind: 'kubernetes',
      namespace: 'chat',
      server: 'http://127.0.0.1:8001',
    })
    expect(choice('kubernetes:')).to.match(/^needs the service account of a pod/)
    expect(choice('kubernetes:Chat', '', '10.0.0.1')).to.match(/^must end in the name of a namespace/)
    expect(choice('kubernetes:chat?server=8001')).to.match(/^must have the URL of the API server/)
    expect(choice('kubernetes:?server=http://127.0.0.1:8001')).to.match(/^must name the namespace/)
  })

  it('has faults that say what to write', () => {
    expect(choice('postgres:')).to.match(/^takes the server of CHAT_DATABASE, which names no PostgreSQL/)
    expect(choice('postgres://chat@db.test')).to.match(/^must be a URL with a database/)
    expect(choice('postgres://db.test/chat?sslmode=prefer')).to.match(/sslmode=prefer/)
    expect(choice('postgres://db.test/chat?sslmode=verify-full&sslrootcert=/nowhere')).to.match(
      /cannot be read/,
    )
    for (const wrong of ['', 'files', 'redis://x', 'flags/chat.json'])
      expect(choice(wrong)).to.match(/^must be file:, postgres:/)
  })
})
