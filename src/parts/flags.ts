import { checkFlagDocument } from '../decision/check/ops-file-check.js'
import type { FlagSource } from '../flag-source/flag-source.js'
import type { FlagStores } from '../store/open-flag-stores.js'
import { type RunningSeeding, startSeeding } from '../store/shared/seed-ops.js'
import type { Surroundings } from './surroundings.js'

/** One of several workers alone can listen there. gRPC is loaded only where one does. */
export async function openFlagSource(
  { documents }: FlagStores,
  { config, clock, logger }: Surroundings,
): Promise<FlagSource | undefined> {
  const { sourcePort: port, opsFile, overrideFile } = config.flags
  if (port === undefined || (config.worker ?? 1) !== 1) return undefined
  const { createFlagSource } = await import('../flag-source/flag-source.js')
  return createFlagSource({ host: config.host, port, opsFile, overrideFile, documents, clock, logger })
}

/** Gives the operators' document its first content; nothing to do where it is the file itself. */
export function startFlagSeeding(
  { ops, opsFile }: FlagStores,
  { clock, logger }: Surroundings,
): RunningSeeding | undefined {
  if (ops === opsFile) return undefined
  return startSeeding({ from: opsFile, to: ops, isGood: isGoodOpsFile, clock, logger })
}

const isGoodOpsFile = (text: string): boolean =>
  checkFlagDocument(text, 'ops').every(({ severity }) => severity !== 'error')
