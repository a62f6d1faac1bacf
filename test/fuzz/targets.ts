import { apiTarget } from './api-target.js'
import { flagsTarget, overrideTarget } from './document-targets.js'
import type { FuzzTarget } from './target.js'
import { llmTarget, runtimeTarget } from './upstream-target.js'

export const TARGETS: readonly FuzzTarget[] = [
  llmTarget,
  runtimeTarget,
  apiTarget,
  flagsTarget,
  overrideTarget,
]
