import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core'
import { z } from 'zod'
import { errorText } from '../../core/errors.js'
import { expansionFault } from '../../core/json/reference-growth.js'

type SdkLogger = NonNullable<ConstructorParameters<typeof FlagdCore>[1]>

const nothing = (): void => {}
/** flagd-core writes a line for each evaluation that fails; what matters of it is in the answers. */
const silent: SdkLogger = { error: nothing, warn: nothing, info: nothing, debug: nothing }

/** As ajv describes what does not match; flagd-core puts them as JSON into its message. */
const schemaErrorsSchema = z.array(z.object({ instancePath: z.string(), message: z.string() })).nonempty()

/** Why flagd would refuse the document, with the JSON pointer of the place; nothing if it takes it. */
export function flagdRefusal(
  text: string,
): { readonly pointer: string; readonly message: string } | undefined {
  try {
    const growth = expansionFault(JSON.parse(text))
    if (growth !== undefined) return { pointer: '/$evaluators', message: growth.en }
    new MemoryStorage(silent).setConfigurations(text, true)
    return undefined
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
    return deepestFault(errorText(thrown)) ?? { pointer: '', message: errorText(cause) }
  }
}

/** `anyOf` complains at each level above the fault: the deepest one is nearest to it. */
function deepestFault(message: string): { pointer: string; message: string } | undefined {
  try {
    const faults = schemaErrorsSchema.parse(JSON.parse(message.slice(message.indexOf(': ') + 2)))
    const depth = ({ instancePath }: { instancePath: string }): number => instancePath.split('/').length
    const deepest = faults.reduce((best, fault) => (depth(fault) > depth(best) ? fault : best))
    return { pointer: deepest.instancePath, message: deepest.message }
  } catch {
    return undefined
  }
}

/** Who is asked for, as the flags may target it. */
export interface EvaluatedSubject {
  readonly orgId: string
  readonly userId: string
  readonly agentId: string
  readonly sessionId: string
}

/**
 * Evaluates one boolean flag of a document that flagd takes, as any provider would; `undefined` is an error (a targeting
 * that throws, or yields no variant).
 *
 * @throws what flagd-core throws over a document it refuses
 */
export function booleanFlag(text: string, key: string): (subject: EvaluatedSubject) => boolean | undefined {
  const storage = new MemoryStorage(silent)
  storage.setConfigurations(text, true)
  const core = new FlagdCore(storage, silent)
  return ({ orgId, userId, agentId, sessionId }) => {
    const context = { targetingKey: sessionId, orgId, userId, agentId, sessionId }
    try {
      const { value, errorCode } = core.resolveBooleanEvaluation(key, false, context, silent)
      return errorCode === undefined ? value : undefined
    } catch {
      return undefined
    }
  }
}
