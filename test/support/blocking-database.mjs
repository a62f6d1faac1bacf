// Loaded into a service before its own code: closing its database blocks for ever, as on a disk that is gone. libsql
// works on the main thread, so nothing else of the process runs meanwhile.
import Database from 'libsql'

Database.prototype.close = () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
