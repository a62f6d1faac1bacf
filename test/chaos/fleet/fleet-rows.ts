import type { FleetRow } from './fleet-row.js'
import { FLEET_RUNTIME_ROWS } from './rows-runtime.js'

/** Every drill of three replicas with their engines, in the order of the table. */
export const FLEET_ROWS: readonly FleetRow[] = [...FLEET_RUNTIME_ROWS]
