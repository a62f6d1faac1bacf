/** Fields of a caller that many turns share. */
export const SHARED_FIELDS = ['orgId', 'userId', 'agentId'] as const
export type SharedField = (typeof SHARED_FIELDS)[number]

/** The session, of which each caller has its own: what reads it is evaluated for each turn. */
const OWN = new Set(['targetingKey', 'sessionId'])
/** What flagd adds, such as the time. Not its whole name: flagd-core takes `$$` in an evaluator for `$`. */
const ADDED = '$'
/** Operators that read nothing but their operands. Not those with a scope of their own, nor `fractional`: it reads the session. */
const PLAIN = new Set(
  'if == === != !== > >= < <= ! !! or and + - * / % max min merge in cat substr sem_ver starts_with ends_with'.split(
    ' ',
  ),
)
/** operators within each other that are followed */
const DEEPEST = 100

/**
 * Which of the shared fields the rules of a flag read; undefined where they may read anything else of the caller, or the time, or where
 * that cannot be told from the text. Rules that read the same give the same answer. Pure.
 * @param evaluators what `$ref` refers to
 */
export function readFields(
  targeting: unknown,
  evaluators: Readonly<Record<string, unknown>> = {},
): ReadonlySet<SharedField> | undefined {
  const fields = new Set<SharedField>()
  return isTold(targeting, { evaluators, followed: new Map(), fields }, 0) ? fields : undefined
}

/** One walk through the rules of a flag. */
interface Walk {
  readonly evaluators: Readonly<Record<string, unknown>>
  /**
   * Those whose rules were read, each once: evaluators that name each other twice would take twice as long at each step. Whether they are
   * told; not while they are being read, for then they refer to themselves.
   */
  readonly followed: Map<string, boolean>
  readonly fields: Set<SharedField>
}

function isTold(rule: unknown, walk: Walk, depth: number): boolean {
  if (depth > DEEPEST) return false
  const within = (inner: unknown): boolean => isTold(inner, walk, depth + 1)
  if (Array.isArray(rule)) return rule.every(within)
  if (typeof rule !== 'object' || rule === null) return true
  const entries: [string, unknown][] = Object.entries(rule)
  const [first, ...others] = entries
  if (first === undefined) return true
  const [operator, operands] = first
  if (others.length > 0) return false
  if (operator === 'var') return isField(operands, walk.fields, within)
  if (operator === '$ref') return typeof operands === 'string' && isEvaluatorTold(operands, walk, depth + 1)
  return PLAIN.has(operator) && within(operands)
}

function isEvaluatorTold(name: string, walk: Walk, depth: number): boolean {
  const known = walk.followed.get(name)
  if (known !== undefined) return known
  walk.followed.set(name, false)
  const told = Object.hasOwn(walk.evaluators, name) && isTold(walk.evaluators[name], walk, depth)
  walk.followed.set(name, told)
  return told
}

/** The name of a field, or a list of it and what stands for a missing one. */
function isField(operands: unknown, fields: Set<SharedField>, within: (inner: unknown) => boolean): boolean {
  const [name, ...missing]: unknown[] = Array.isArray(operands) ? operands : [operands]
  if (typeof name !== 'string' || name === '') return false
  const [field = ''] = name.split('.')
  if (OWN.has(field) || field.startsWith(ADDED)) return false
  const shared = SHARED_FIELDS.find((one) => one === field)
  if (shared !== undefined) fields.add(shared)
  // A caller has no other fields.
  return missing.every(within)
}
