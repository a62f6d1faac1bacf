import type { FleetRow } from './fleet-row.js'
import { ENGINE_ROWS } from './rows-engines.js'
import { LINK_ROWS } from './rows-links.js'
import { REPLICA_ROWS } from './rows-replicas.js'

/** Every drill of three replicas with their engines, in the order of the table. */
export const FLEET_ROWS: readonly FleetRow[] = [...LINK_ROWS, ...ENGINE_ROWS, ...REPLICA_ROWS]
