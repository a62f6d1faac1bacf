#!/usr/bin/env node
import { errorCode } from '../core/errors.js'
import { runCommand } from './commands.js'

// The reader of our output may leave early, like `head`: that is not an error.
process.stdout.on('error', (error) => {
  if (errorCode(error) === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runCommand(process.argv.slice(2))
