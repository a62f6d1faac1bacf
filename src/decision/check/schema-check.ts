import { MemoryStorage } from '@openfeature/flagd-core'
import { getNodeValue, type JSONPath, type Node } from 'jsonc-parser'
import { z } from 'zod'
import { errorText } from '../../core/errors.js'
import { nodeNear } from '../../core/json/json-tree.js'
import { expansionFault } from '../../core/json/reference-growth.js'
import { silentSdkLogger } from '../sdk-logger.js'
import type { IssueList } from './flag-document.js'

/** As ajv describes what does not match; flagd-core puts them as JSON into its message. */
const schemaErrorsSchema = z.array(z.object({ instancePath: z.string(), message: z.string() }))

/**
 * Holds the document against flagd's published schema and flagd-core's own rules, flag by flag, for both stop at the
 * first one that is wrong. The schema's text is terse and says many things about one fault, so only what nothing else
 * has reported is added.
 */
export function checkSchema(root: Node, issues: IssueList): void {
  const document: Record<string, unknown> = getNodeValue(root)
  const { flags, ...frame } = document
  const growth = expansionFault(document)
  if (growth !== undefined) {
    issues.add(nodeNear(root, ['$evaluators']).offset, ['$evaluators'], growth)
    return
  }
  checkPart({ ...frame, flags: {} }, [], root, issues)
  for (const [key, flag] of Object.entries(flags ?? {}))
    checkPart({ $evaluators: frame.$evaluators ?? {}, flags: { [key]: flag } }, ['flags', key], root, issues)
}

function checkPart(part: object, at: JSONPath, root: Node, issues: IssueList): void {
  try {
    new MemoryStorage(silentSdkLogger).setConfigurations(JSON.stringify(part), true)
  } catch (thrown) {
    const errors = schemaErrors(errorText(thrown))
    if (errors.length === 0) {
      if (!issues.refusesWithin(at))
        issues.add(nodeNear(root, at).offset, at, `flagd refuses it: ${causeText(thrown)}`)
      return
    }
    for (const { path, message } of deepest(errors))
      if (!issues.refusesWithin(region(path)))
        issues.add(nodeNear(root, path).offset, path, `against flagd's schema: ${message}`)
  }
}

interface SchemaError {
  readonly path: JSONPath
  readonly message: string
}

function schemaErrors(message: string): SchemaError[] {
  const json = message.slice(message.indexOf(': ') + 2)
  try {
    return schemaErrorsSchema
      .parse(JSON.parse(json))
      .map(({ instancePath, message: text }) => ({ path: pointerPath(instancePath), message: text }))
  } catch {
    return []
  }
}

function pointerPath(pointer: string): JSONPath {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

/** `anyOf` complains at each level above the fault: the first of the deepest ones in each flag is nearest to it. */
function deepest(errors: readonly SchemaError[]): SchemaError[] {
  const byRegion = new Map<string, SchemaError>()
  for (const error of errors) {
    const key = region(error.path).join('.')
    const known = byRegion.get(key)
    if (known === undefined || error.path.length > known.path.length) byRegion.set(key, error)
  }
  return [...byRegion.values()]
}

/** The flag (or evaluator) a path is in. */
function region(path: JSONPath): JSONPath {
  return path.slice(0, 2)
}

function causeText(thrown: unknown): string {
  return thrown instanceof Error && thrown.cause !== undefined ? errorText(thrown.cause) : errorText(thrown)
}
