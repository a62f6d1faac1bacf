import { expect } from 'chai'
import { parseRedisUrl } from '../../../src/core/redis/redis-url.js'

describe('parseRedisUrl', () => {
  it('reads one server, with a login, a database and a prefix', () => {
    expect(parseRedisUrl('redis://cache')).to.deep.equal({
      kind: 'single',
      tls: false,
      nodes: [{ host: 'cache', port: 6379 }],
      database: 0,
      prefix: 'chat',
    })
    expect(parseRedisUrl('rediss://me:p%40ss%2Fword@[::1]:7000/3?prefix=staging')).to.deep.equal({
      kind: 'single',
      tls: true,
      nodes: [{ host: '::1', port: 7000 }],
      username: 'me',
      password: 'p@ss/word',
      database: 3,
      prefix: 'staging',
    })
    expect(parseRedisUrl('redis://:secret@cache')).to.include({ password: 'secret' })
  })

  it('reads Sentinels with the name of their master', () => {
    expect(parseRedisUrl('redis+sentinel://:pw@a,b:26380/main/2')).to.deep.equal({
      kind: 'sentinel',
      tls: false,
      nodes: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 26_380 },
      ],
      password: 'pw',
      master: 'main',
      database: 2,
      prefix: 'chat',
    })
  })

  it('reads some nodes of a Cluster', () => {
    const address = parseRedisUrl('rediss+cluster://a:7001,b:7002')
    expect(address).to.include({ kind: 'cluster', tls: true, database: 0 })
    expect(address?.nodes).to.deep.equal([
      { host: 'a', port: 7001 },
      { host: 'b', port: 7002 },
    ])
  })

  for (const wrong of [
    '',
    'cache:6379',
    'http://cache',
    'redis://',
    'redis://a,b',
    'redis://cache:0',
    'redis://cache:70000',
    'redis://cache/first',
    'redis://cache/0/1',
    'redis+sentinel://a,b',
    'redis+cluster://a/1',
    'redis://%zz:x@cache',
    'redis://cache?prefix=a b',
  ])
    it(`refuses ${JSON.stringify(wrong)}`, () => expect(parseRedisUrl(wrong)).to.equal(undefined))
})
