import { z } from 'zod'
import { ROLES, type Role, roleSchema } from '../../protocol/api.js'

/** Who calls, as the token says. */
export interface Identity {
  readonly userId: string
  readonly orgId: string
  readonly role: Role
  /** wall-clock ms; a stream that outlives it ends */
  readonly expiresAt: number
}

const name = z.string().min(1).max(200)

/** The claims of ours; the registered ones (`exp`, `nbf`, `iss`, `aud`) are checked with the signature. */
export const identitySchema = z
  .object({ sub: name, org_id: name, role: roleSchema, exp: z.number() })
  .transform(
    (claims): Identity => ({
      userId: claims.sub,
      orgId: claims.org_id,
      role: claims.role,
      expiresAt: claims.exp * 1000,
    }),
  )

/** Roles are ranked: an owner may do what an admin may, an admin what a member may. */
export function hasRole(identity: Identity, least: Role): boolean {
  return ROLES.indexOf(identity.role) >= ROLES.indexOf(least)
}
