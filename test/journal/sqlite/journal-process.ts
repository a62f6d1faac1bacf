import { systemClock } from '../../../src/core/clock.js'
import { openSqliteJournal } from '../../../src/journal/sqlite/sqlite-journal.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { until } from '../../support/until.js'
import { sample, trip } from '../journal-contract.js'

/**
 * Keeps `count` transitions one by one and tells when all are in the file, then stays until it is killed; or (`fill`)
 * keeps large samples until some have to be dropped and tells what it logged.
 */
const [path = '', name = '', count = '0', task = 'stay'] = process.argv.slice(2)
const { logger, lines } = capturingLogger()
const journal = openSqliteJournal(path, { clock: systemClock, logger })
const tell = (message: string): void => void process.send?.(message)

async function fill(): Promise<void> {
  journal.keepTransition(trip(1, { replica: name }))
  // A read writes first what waits: this one is in the file before the large ones, which share a transaction, come.
  await journal.transitions(10)
  for (let seq = 0; journal.dropped === 0; seq += 1) {
    journal.keepSample(sample(seq, { input: 'x'.repeat(50_000) }))
    if (seq % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  journal.keepTransition(trip(2, { replica: name }))
  const kept = await journal.transitions(10)
  tell(JSON.stringify({ lines, kept: kept.length, dropped: journal.dropped }))
}

async function stay(): Promise<void> {
  tell('ready')
  for (let revision = 1; revision <= Number(count); revision += 1) {
    journal.keepTransition(trip(revision, { replica: name, evidence: 'x'.repeat(1_000) }))
    if (revision % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const mine = async (): Promise<number> =>
    (await journal.transitions(10_000)).filter(({ replica }) => replica === name).length
  await until('all to be kept', async () => (await mine()) === Number(count), 10_000)
  tell('kept')
}

const run = task === 'fill' ? fill : stay
run().catch((error: unknown) => tell(`failed: ${error instanceof Error ? error.message : String(error)}`))
// Killed tests leave no orphan behind.
process.on('disconnect', () => process.exit())
