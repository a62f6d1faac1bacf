// A loader (`node --import`): writes the address of every module that is imported to the file of TOLD_MODULES, a line each.
// The package of MISSING_PACKAGE is not there.
import { appendFileSync } from 'node:fs'
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

let file = ''
let missing

// The hooks run on a thread of their own, where this file is loaded a second time.
if (isMainThread)
  register(import.meta.url, {
    data: { file: process.env.TOLD_MODULES, missing: process.env.MISSING_PACKAGE },
  })

export function initialize(data) {
  file = data.file
  missing = data.missing
}

export async function resolve(name, context, next) {
  const resolved = await next(name === missing ? `${name}-that-is-missing` : name, context)
  appendFileSync(file, `${resolved.url}\n`)
  return resolved
}
