// Loaded into a service before its own code: from SIGTERM on, closing its database blocks for ever, as on a disk that is
// gone. libsql works on the main thread, so nothing else of the process runs meanwhile.
import Database from 'libsql'

const { close } = Database.prototype
let isStopping = false
process.once('SIGTERM', () => {
  isStopping = true
})
Database.prototype.close = function () {
  if (!isStopping) return close.call(this)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
