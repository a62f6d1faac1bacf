// Puts Swagger UI into dist/docs-page/, where the service serves it from; part of npm run build. Compressed once here, not with
// each request.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const FROM = join(ROOT, 'node_modules', 'swagger-ui-dist')
const TO = join(ROOT, 'dist', 'docs-page')
const FILES = ['swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png']
const LICENCES = ['LICENSE', 'NOTICE', 'swagger-ui-bundle.js.LICENSE.txt']

rmSync(TO, { recursive: true, force: true })
mkdirSync(TO, { recursive: true })
for (const name of FILES) {
  writeFileSync(join(TO, `${name}.gz`), gzipSync(readFileSync(join(FROM, name)), { level: 9 }))
}
for (const name of LICENCES) writeFileSync(join(TO, name), readFileSync(join(FROM, name)))
