// Puts Swagger UI and the OpenAPI document into dist/docs-page/, where the service serves them from; part of npm run build, after
// src/ is compiled. Made and compressed once here, not with each start or request.
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

const module = (path) => import(new URL(`../dist/${path}`, import.meta.url).href)
const { openApiDocument } = await module('http/openapi/document.js')
const { OPERATIONS } = await module('http/operations/all-operations.js')
const { packageVersion } = await module('core/files/package-version.js')
const text = JSON.stringify(openApiDocument(OPERATIONS, packageVersion()))
writeFileSync(join(TO, 'openapi.json.gz'), gzipSync(text, { level: 9 }))
