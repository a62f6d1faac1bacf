// Loaded before the service: SIGKILL at the CHAOS_KILL_AT-th call of its first write of the flag store that changes
// anything on the disk, before the call is made. Told on standard output.
import { writeSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

const killAt = Number(process.env.CHAOS_KILL_AT)
const CALLS = ['writeFile', 'link', 'copyFile', 'rename', 'unlink']
const HANDLE_CALLS = ['writeFile', 'chown', 'chmod', 'sync', 'close']
/** a lock's ticket: the first file that a write makes and the last that it removes */
const isTicket = (path) => /\.lock\.(?!claim)/.test(path)

let state = 'before'
let calls = 0

function say(line) {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

function passed(name, path) {
  if (state === 'before' && name === 'writeFile' && isTicket(path)) state = 'writing'
  if (state !== 'writing') return
  calls += 1
  if (calls === killAt) {
    say({ msg: 'killed at', call: `${name} ${basename(path).replace(/[0-9a-f-]{30,}/, '*')}` })
    process.kill(process.pid, 'SIGKILL')
  }
  if (name === 'unlink' && isTicket(path)) state = 'after'
}

for (const name of CALLS) {
  const original = fs[name]
  fs[name] = async (path, ...rest) => {
    // What is at stake is the second path where there are two.
    passed(name, String(name === 'link' || name === 'rename' ? rest[0] : path))
    return original.call(fs, path, ...rest)
  }
}
const open = fs.open
fs.open = async (path, flags = 'r', mode = 0o666) => {
  const isWriting = flags !== 'r'
  if (isWriting) passed('open', String(path))
  const handle = await open.call(fs, path, flags, mode)
  if (isWriting) return watched(handle, String(path), HANDLE_CALLS)
  // a folder is opened only to be synced
  return watched(handle, String(path), ['sync'])
}
syncBuiltinESMExports()

function watched(handle, path, names) {
  for (const name of names) {
    const original = handle[name].bind(handle)
    handle[name] = (...args) => {
      passed(name, path)
      return original(...args)
    }
  }
  return handle
}
