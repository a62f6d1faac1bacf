import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { CODE_DEFAULTS, callerOf, flagsConfig } from './flag-files.js'

// A process that opens the flags, takes a turn, closes them, and has nothing else to live for.
// Arguments: resolver, port, operators' file, override file, and the ms to go on before the close (`starting`: it is
// closed while it starts).
const [resolver, port, ops = '', override = '', lingerMs] = process.argv.slice(2)
if (resolver !== 'file' && resolver !== 'in-process' && resolver !== 'rpc') throw new Error('no resolver')
const flags = createFlags(flagsConfig(ops, override, resolver, Number(port)), CODE_DEFAULTS, {
  clock: systemClock,
  logger: silentLogger,
})
const started = flags.start()
if (lingerMs !== 'starting') {
  await started
  await flags.forTurn(callerOf(1))
  await new Promise((resolve) => setTimeout(resolve, Number(lingerMs)))
}
await flags.close()
process.stdout.write('closed\n')
