// Loaded into a service before its own code: from SIGUSR2 on, opening the operators' flag file hangs as on a mount that
// is gone: in the system call, on one of Node's threads. A pipe that nobody writes to does that.
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

let isHung = false
process.on('SIGUSR2', () => {
  isHung = true
})
const { open } = fs
fs.open = (path, ...rest) =>
  isHung && String(path) === process.env.CHAT_FLAGS_FILE
    ? open.call(fs, process.env.HANGING_PIPE, 'r')
    : open.call(fs, path, ...rest)
syncBuiltinESMExports()
