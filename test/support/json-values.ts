/**
 * The JSON values of a text in a row, as `jq` prints them; a property alone (`"flag": {…}`) is taken for a flag of a
 * flag file, a line of dots or a comment for nothing. Undefined where the text is something else.
 */
export function jsonValues(text: string): unknown[] | undefined {
  const lines = text.split('\n').filter((line) => !/^\s*(\.{3}|…|\/\/.*)?\s*$/.test(line))
  const values: unknown[] = []
  let open = ''
  for (const line of lines) {
    open += `${line}\n`
    const value = parsed(open) ?? parsed(`{"flags": {${open}}}`)
    if (value === undefined) continue
    values.push(value.value)
    open = ''
  }
  return open === '' ? values : undefined
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}
