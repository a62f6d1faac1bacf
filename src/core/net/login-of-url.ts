/**
 * An address without user and password, and these among the headers, as other HTTP clients send them. `fetch` refuses an address that
 * has them, and shows both in its error.
 * @throws TypeError for what is no URL
 */
export function withoutLogin(
  address: string,
  headers?: RequestInit['headers'],
): { readonly url: string; readonly headers: Headers } {
  const url = new URL(address)
  const all = new Headers(headers)
  if (url.username === '' && url.password === '') return { url: address, headers: all }
  const login = `${decoded(url.username)}:${decoded(url.password)}`
  all.set('authorization', `Basic ${Buffer.from(login).toString('base64')}`)
  url.username = ''
  url.password = ''
  return { url: url.href, headers: all }
}

/**
 * An address as people may read it: without all before its last @ and all after a question mark. A password that makes an address wrong
 * has any signs in it.
 */
export const shownAddress = (address: string): string =>
  address.replace(/^([a-z][a-z\d+.-]*:\/+)?.*@/is, '$1…@').replace(/\?.*/s, '?…')

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
