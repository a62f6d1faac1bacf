import { CHAT_OPERATIONS } from './chat-operations.js'
import { DATA_OPERATIONS } from './data-operations.js'
import { FALLBACK_OPERATIONS } from './fallback-operations.js'
import { FLAG_OPERATIONS } from './flag-operations.js'
import { OPENAI_OPERATIONS } from './openai-operations.js'
import type { Operation } from './operation.js'
import { REPORT_OPERATIONS } from './report-operations.js'
import { ROLLOUT_OPERATIONS } from './rollout-operations.js'
import { SERVICE_OPERATIONS } from './service-operations.js'
import { SESSION_OPERATIONS } from './session-operations.js'
import { STREAM_OPERATIONS } from './stream-operations.js'

/** Every call of the API, in the order of the document. */
export const OPERATIONS: readonly Operation[] = [
  ...CHAT_OPERATIONS,
  ...STREAM_OPERATIONS,
  ...SESSION_OPERATIONS,
  ...OPENAI_OPERATIONS,
  ...FALLBACK_OPERATIONS,
  ...ROLLOUT_OPERATIONS,
  ...FLAG_OPERATIONS,
  ...REPORT_OPERATIONS,
  ...DATA_OPERATIONS,
  ...SERVICE_OPERATIONS,
]
