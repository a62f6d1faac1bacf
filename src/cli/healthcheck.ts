/** The container's health check: exit code 0 while `GET /health/live` answers 200 within 2 s. Reads HOST and PORT. */
const host = process.env.HOST === undefined || process.env.HOST === '0.0.0.0' ? '127.0.0.1' : process.env.HOST
const url = `http://${host}:${process.env.PORT ?? '3001'}/health/live`

try {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
} catch (error) {
  process.stderr.write(`unhealthy: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
