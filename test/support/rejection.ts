/** What the promise rejects with; fails the test where it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error(`rejected with something that is no error: ${String(error)}`)
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
}
