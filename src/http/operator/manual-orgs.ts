import type { ManualLayer } from '../../store/override/override.js'
import { Problem } from '../edge/problems.js'

/** The flag, every replica's memory and each sample of the journal hold all of them. */
const MAX_ORGS = 1_000
/** characters of them as JSON */
const MAX_CHARACTERS = 50_000

/** May these orgs come on top of those that the manual layer names already? @throws Problem 400 */
export function guardManualOrgs(orgIds: readonly string[], present: ManualLayer): void {
  const named = present.scope === 'orgs' && present.target.kind === 'orgs' ? present.target.orgIds : []
  const all = [...new Set([...named, ...orgIds])]
  if (all.length === named.length) return
  if (all.length > MAX_ORGS || JSON.stringify(all).length > MAX_CHARACTERS) throw new Problem('too_many_orgs')
}
