import { hash } from 'node:crypto'
import type { Stored } from '../../store/flag-store.js'

/** What `If-Match` asks for: these contents of the operators' file, or whatever is there. */
export type Matches = 'any' | ReadonlySet<string>

/**
 * ETag of `GET /runtime/flags`: `"<content of the operators' file>.<everything that is answered>"`. `If-None-Match` compares
 * all of it, `If-Match` the first part alone: a fault that comes or goes stands in nobody's way.
 */
export function flagsTag(stored: Stored, answered: unknown): string {
  return `"${contentTag(stored)}.${hash('sha256', JSON.stringify(answered), 'base64url')}"`
}

/** Of a file that cannot be read: a word that no edit can match. */
export function contentTag(stored: Stored): string {
  return stored.kind === 'text' ? stored.hash : stored.kind
}

/**
 * The contents that `If-Match` names; undefined if there is no such header. Weak tags count: proxies that compress make
 * them so, and the first part compares the bytes of the file.
 */
export function matchesOf(header: string): Matches | undefined {
  if (header.trim() === '') return undefined
  const tags = header.split(',').map((tag) => tag.trim())
  if (tags.includes('*')) return 'any'
  return new Set(tags.flatMap((tag) => /^(?:W\/)?"?([^".]+)/.exec(tag)?.[1] ?? []))
}

export const isMatch = (matches: Matches, stored: Stored): boolean =>
  matches === 'any' || matches.has(contentTag(stored))
