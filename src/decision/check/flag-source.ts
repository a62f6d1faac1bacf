import { type FeatureFlag, MemoryStorage } from '@openfeature/flagd-core'
import { type Bilingual, same } from '../../core/bilingual.js'
import { errorText } from '../../core/errors.js'
import { objectFormText } from '../../core/json/flag-list.js'
import { parsedJson } from '../../core/json/parsed-json.js'
import { FLAGS_OF_FILE, type FlagFileKind } from '../flags.js'
import type { FlagFileContent } from '../read-flag-file.js'
import { silentSdkLogger } from '../sdk-logger.js'
import { checkFlagDocument, type FlagIssue } from './ops-file-check.js'
import { readFields, type SharedField } from './read-fields.js'

type Compiled = ReadonlyMap<string, FeatureFlag>

const fieldsOf = new WeakMap<FeatureFlag, ReadonlySet<SharedField>>()

/** The fields of a caller that a flag loaded here reads; undefined where it may read others. See `readFields`. */
export const fieldsRead = (flag: FeatureFlag): ReadonlySet<SharedField> | undefined => fieldsOf.get(flag)

/** What became of one content of a flag file. */
export type Loaded =
  /** In effect. `refusedFlags` are those whose new text is wrong: their last good one stays (or none, if there was none). */
  | {
      readonly kind: 'loaded'
      readonly flags: Compiled
      readonly refusedFlags: ReadonlySet<string>
      readonly issues: readonly FlagIssue[]
    }
  /** Nothing of it is taken over. */
  | { readonly kind: 'refused'; readonly issues: readonly FlagIssue[] }

/** Validates strictly and compiles; `last` are the flags in effect. Pure. */
export function loadFlags(content: FlagFileContent, kind: FlagFileKind, last: Compiled): Loaded {
  if (content.kind !== 'text') return { kind: 'refused', issues: [unreadable(content)] }
  const issues = checkFlagDocument(content.text, kind).filter(({ severity }) => severity === 'error')
  if (issues.some(({ refuses }) => refuses === 'file')) return { kind: 'refused', issues }
  const storage = new MemoryStorage(silentSdkLogger)
  const text = objectFormText(content.text)
  try {
    storage.setConfigurations(text, true)
  } catch (thrown) {
    return { kind: 'refused', issues: [wholeFile(same(errorText(thrown)))] }
  }
  const refusing = issues.filter(({ refuses }) => refuses === 'flag')
  const faulty = new Set(refusing.map(({ path }) => flagOf(path, storage.getFlags())))
  noteFields(text, storage.getFlags(), FLAGS_OF_FILE[kind])
  const flags = new Map<string, FeatureFlag>()
  const refusedFlags = new Set<string>()
  for (const [key, flag] of storage.getFlags()) {
    if (isForeign(key, kind)) continue
    const lastGood = last.get(key)
    if (faulty.has(key)) refusedFlags.add(key)
    if (!faulty.has(key)) flags.set(key, flag)
    else if (lastGood !== undefined) flags.set(key, lastGood)
  }
  return { kind: 'loaded', flags, refusedFlags, issues }
}

/** Keys whose value may be another once the operators' file says `after` in place of `before`. Pure. */
export function changedByEdit(before: string, after: string): string[] {
  const [old, now] = [before, after].map((text) => {
    const loaded = loadFlags({ kind: 'text', text }, 'ops', new Map())
    return loaded.kind === 'loaded' ? loaded.flags : new Map<string, FeatureFlag>()
  })
  return old === undefined || now === undefined ? [] : changedFlags(old, now)
}

/** Keys that are new, gone or different. */
export function changedFlags(before: Compiled, after: Compiled): string[] {
  const keys = new Set([...before.keys(), ...after.keys()])
  return [...keys].filter((key) => before.get(key)?.hash !== after.get(key)?.hash)
}

/** Of a document that was taken over, so it has the form of one. @param keys the flags that turns ask for */
function noteFields(text: string, flags: Compiled, keys: ReadonlySet<string>): void {
  const { flags: rules = {}, $evaluators } = parsedJson(text) as {
    flags?: Record<string, { targeting?: unknown }>
    $evaluators?: Record<string, unknown>
  }
  for (const [key, flag] of flags) {
    if (!keys.has(key)) continue
    const fields = readFields(rules[key]?.targeting, $evaluators)
    if (fields !== undefined) fieldsOf.set(flag, fields)
  }
}

/** A flag key may hold dots itself, so the path is matched against the keys. */
function flagOf(path: string, flags: Compiled): string | undefined {
  return [...flags.keys()].find((key) => path === `flags.${key}` || path.startsWith(`flags.${key}.`))
}

function isForeign(key: string, kind: FlagFileKind): boolean {
  return FLAGS_OF_FILE[kind === 'ops' ? 'override' : 'ops'].has(key)
}

function unreadable(content: Exclude<FlagFileContent, { kind: 'text' }>): FlagIssue {
  return wholeFile(
    content.kind === 'missing'
      ? { en: 'there is no such file', 'zh-CN': '没有这个文件' }
      : { en: `it cannot be read: ${content.message}`, 'zh-CN': `无法读取：${content.message}` },
  )
}

function wholeFile({ en: message, 'zh-CN': zh }: Bilingual): FlagIssue {
  return { line: 1, column: 1, path: '', message, zh, severity: 'error', refuses: 'file' }
}
