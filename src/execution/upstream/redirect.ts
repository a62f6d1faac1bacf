/** Where a redirect points, for a log: without name, password and query, which may hold a secret. */
export function pointedTo(location: string | undefined, from: string): string {
  const target = targetOf(location, from)
  return target === undefined ? 'nowhere' : `${target.origin}${target.pathname}`
}

/** The address to ask once more: 307 and 308 to the same origin alone, since the request takes its key along. */
export function sameOriginTarget(
  status: number,
  location: string | undefined,
  from: string,
): string | undefined {
  if (status !== 307 && status !== 308) return undefined
  const target = targetOf(location, from)
  if (target === undefined || target.origin !== new URL(from).origin) return undefined
  // `fetch` would refuse them, and they are no part of the origin.
  target.username = ''
  target.password = ''
  return target.href
}

function targetOf(location: string | undefined, from: string): URL | undefined {
  return location !== undefined && URL.canParse(location, from) ? new URL(location, from) : undefined
}
