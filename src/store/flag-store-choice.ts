import { errorText } from '../core/errors.js'
import { isPostgresUrl, postgresAddress } from '../core/postgres/postgres-url.js'

/** Where the override is, as CHAT_FLAG_STORE says. */
export type FlagStoreChoice =
  | { readonly kind: 'file' }
  /** `url` may carry a password */
  | { readonly kind: 'postgres'; readonly url: string }

/** What else decides which store it is. */
export interface ChoiceContext {
  /** CHAT_DATABASE */
  readonly database: string
}

export type ChoiceResult =
  | { readonly kind: 'choice'; readonly choice: FlagStoreChoice }
  /** ready to print after the variable's name; carries no password */
  | { readonly kind: 'fault'; readonly fault: string }

const WHAT = 'must be file:, postgres: (the server of CHAT_DATABASE) or postgres://user@host/database'

/** Reads what an `sslrootcert` of a URL names, to know that it is there. */
export function parseFlagStore(value: string, context: ChoiceContext): ChoiceResult {
  if (value === 'file:') return chosen({ kind: 'file' })
  if (value === 'postgres:' || value === 'postgresql:') return ofDatabase(context)
  if (isPostgresUrl(value)) return postgres(value)
  return fault(WHAT)
}

const chosen = (choice: FlagStoreChoice): ChoiceResult => ({ kind: 'choice', choice })
const fault = (text: string): ChoiceResult => ({ kind: 'fault', fault: text })

function ofDatabase({ database }: ChoiceContext): ChoiceResult {
  if (isPostgresUrl(database)) return postgres(database)
  return fault(
    'takes the server of CHAT_DATABASE, which names no PostgreSQL; write postgres://user@host/database, or set CHAT_DATABASE',
  )
}

function postgres(url: string): ChoiceResult {
  if (!URL.canParse(url) || new URL(url).pathname.length < 2)
    return fault('must be a URL with a database, like postgres://user@host:5432/chat')
  try {
    postgresAddress(url)
  } catch (thrown) {
    return fault(errorText(thrown))
  }
  return chosen({ kind: 'postgres', url })
}
