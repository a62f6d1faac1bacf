// Builds the console into dist/console/, where the service serves it from; part of npm run build. Each file is compressed once
// here, not with each request. Refuses a build that is larger than a slow line should have to load.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

/** bytes, compressed, of all files of the console together */
const MOST = 120 * 1024
/** A document of its own, which a reader of the console loads only by a link. */
const RUNBOOK = 'runbook.html'
const FROM = join(import.meta.dirname, '..', 'src', 'console')
const TO = join(import.meta.dirname, '..', 'dist', 'console')

await build({ configFile: join(FROM, 'vite.config.js') })

let all = 0
for (const entry of readdirSync(TO, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const path = join(entry.parentPath, entry.name)
  const packed = gzipSync(readFileSync(path), { level: 9 })
  writeFileSync(`${path}.gz`, packed)
  rmSync(path)
  if (entry.name !== RUNBOOK) all += packed.length
}
if (all > MOST) {
  process.stderr.write(`dist/console is ${all} bytes compressed, more than ${MOST}\n`)
  process.exit(1)
}
