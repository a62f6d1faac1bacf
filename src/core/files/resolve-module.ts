import { existsSync } from 'node:fs'
import { createRequire as requireOf } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * The URL of a module named by a path (absolute, or from `directory` where it begins with a dot), a `file:` URL, or the name of
 * a package. A package is looked for beside this service, then from `directory`. @returns undefined where there is none
 */
export function resolveModule(name: string, directory: string): string | undefined {
  if (name.startsWith('file:') || name.startsWith('.') || name.startsWith('/')) {
    const path = name.startsWith('file:') ? pathOf(name) : resolve(directory, name)
    return path !== undefined && existsSync(path) ? pathToFileURL(path).href : undefined
  }
  try {
    return import.meta.resolve(name)
  } catch {
    return resolvedFrom(import.meta.url, name) ?? resolvedFrom(join(directory, 'from-here.js'), name)
  }
}

function pathOf(url: string): string | undefined {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}

function resolvedFrom(file: string, name: string): string | undefined {
  try {
    return pathToFileURL(requireOf(file).resolve(name)).href
  } catch {
    return undefined
  }
}
