/** The package brings no types. */
declare module 'proxy-from-env' {
  /** The proxy that the environment names for the address; empty where it names none. */
  export function getProxyForUrl(url: string): string
}
