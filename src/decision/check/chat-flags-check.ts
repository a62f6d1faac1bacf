import { getNodeValue, type JSONPath, type Node } from 'jsonc-parser'
import { z } from 'zod'
import type { Bilingual } from '../../core/bilingual.js'
import { closestName } from '../../core/closest-name.js'
import { nodeNear, propertiesOf } from '../../core/json/json-tree.js'
import { schemaFault } from '../../core/json/schema-fault.js'
import { chatLimitsSchema } from '../../limits/chat-limits.js'
import { fallbackPolicySchema } from '../../protocol/fallback.js'
import { executionModeSchema } from '../../protocol/modes.js'
import { agentProfileSchema } from '../agent-profile.js'
import { FLAG_KEYS, FLAGS_OF_FILE, type FlagFileKind } from '../flags.js'
import { guardrailsSchema } from '../guardrails.js'
import { llmRouteSchema } from '../llm-route.js'
import type { IssueList } from './flag-document.js'
import { likelyIntention, meantBy, siblingsOf } from './likely-intention.js'
import { unknownFields } from './unknown-fields.js'

/** What each of our flags' variants must be. */
const VALUE_SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  [FLAG_KEYS.mode, executionModeSchema],
  [FLAG_KEYS.shadow, z.boolean()],
  [FLAG_KEYS.guardrails, guardrailsSchema],
  [FLAG_KEYS.profile, agentProfileSchema],
  [FLAG_KEYS.route, llmRouteSchema],
  [FLAG_KEYS.policy, fallbackPolicySchema],
  [FLAG_KEYS.limits, chatLimitsSchema],
  [FLAG_KEYS.override, z.boolean()],
  [FLAG_KEYS.rollout, z.boolean()],
])

/** Keys that begin so and are none of ours are most likely misspelt. */
const OUR_PREFIX = 'chat-'

/** Reports flags of the other file, values of a wrong type or range, and keys that look misspelt. */
export function checkChatFlags(root: Node, flags: Node, kind: FlagFileKind, issues: IssueList): void {
  const other = kind === 'ops' ? 'override' : 'ops'
  for (const { key, keyNode, value } of propertiesOf(flags)) {
    const at = ['flags', key]
    if (FLAGS_OF_FILE[other].has(key))
      issues.add(
        keyNode.offset,
        at,
        {
          en: `"${key}" belongs in the ${FILE_NAMES[other].en} file and is ignored here`,
          'zh-CN': `"${key}" 应写在${FILE_NAMES[other]['zh-CN']}中，在此会被忽略`,
        },
        'flag',
      )
    else if (VALUE_SCHEMAS.has(key)) checkVariants(root, value, key, issues)
    else if (key.startsWith(OUR_PREFIX)) {
      const likely = meantBy(closestName(key, VALUE_SCHEMAS.keys()))
      issues.warn(keyNode.offset, at, {
        en: `"${key}" is not a flag of this service${likely.en}`,
        'zh-CN': `"${key}" 不是本服务的 flag${likely['zh-CN']}`,
      })
    }
  }
  if (kind === 'override' && !propertiesOf(flags).some(({ key }) => key === FLAG_KEYS.override))
    issues.add(flags.offset, ['flags'], {
      en: `"${FLAG_KEYS.override}" is missing; it is always there, "off" when nothing is wrong`,
      'zh-CN': `缺少 "${FLAG_KEYS.override}"；它必须始终存在，一切正常时为 "off"`,
    })
}

const FILE_NAMES: Readonly<Record<FlagFileKind, Bilingual>> = {
  ops: { en: "operators'", 'zh-CN': '运维文件' },
  override: { en: "service's", 'zh-CN': '由服务写入的文件' },
}

function checkVariants(root: Node, flag: Node, key: string, issues: IssueList): void {
  const variants = propertiesOf(flag).find((property) => property.key === 'variants')?.value
  for (const { key: variant, value } of propertiesOf(variants)) {
    const at: JSONPath = ['flags', key, 'variants', variant]
    const { faults, unknown, parsed } = lookInto(key, getNodeValue(value))
    for (const { path, message } of faults) {
      const full = [...at, ...path]
      issues.add(nodeNear(root, full).offset, full, message, 'flag')
    }
    for (const field of unknown) {
      const inside = field.split('.')
      const full = [...at, ...inside]
      const likely = meantBy(closestName(inside.at(-1) ?? '', siblingsOf(parsed, inside)))
      const name = {
        en: `"${field}" is not a field of this flag in this version, and the service does not read it${likely.en}`,
        'zh-CN': `"${field}" 不是该标志在此版本中的字段，服务不会读取${likely['zh-CN']}`,
      }
      issues.warn(nodeNear(root, full).offset, full, name)
    }
  }
}

interface ValueFindings {
  readonly faults: readonly { readonly path: JSONPath; readonly message: Bilingual }[]
  /** fields that are ignored, as dotted paths */
  readonly unknown: readonly string[]
  /** what the schema made of it, or of its fields that are not wrong; absent if nothing could be made of it */
  readonly parsed?: unknown
}

/** What is wrong with a value of one of our flags: nothing for a good one. Paths are within the value. */
function lookInto(key: string, value: unknown): ValueFindings {
  const schema = VALUE_SCHEMAS.get(key)
  if (schema === undefined) return { faults: [], unknown: [] }
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return { faults: [], unknown: unknownFields(value, result.data), parsed: result.data }
  const faults = result.error.issues.map((issue) => {
    const likely = likelyIntention(issue, value, Object.keys(agentProfileSchema.shape))
    const fault = schemaFault(issue)
    return {
      path: issue.path.filter((part) => typeof part !== 'symbol'),
      message: { en: `${fault.en}${likely.en}`, 'zh-CN': `${fault['zh-CN']}${likely['zh-CN']}` },
    }
  })
  // The rest of it is looked into all the same, so that one look finds everything.
  const rest = withoutFields(value, new Set(faults.map(({ path }) => path[0])))
  const good = schema.safeParse(rest)
  return good.success
    ? { faults, unknown: unknownFields(rest, good.data), parsed: good.data }
    : { faults, unknown: [] }
}

function withoutFields(value: unknown, wrong: ReadonlySet<JSONPath[number] | undefined>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([field]) => !wrong.has(field)))
}
