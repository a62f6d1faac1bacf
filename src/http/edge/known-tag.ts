/** Whether `If-None-Match` has the tag; a weak one serves as well as a strong one. */
export const isKnownTag = (header: string, tag: string): boolean =>
  header
    .split(',')
    .map((known) => known.trim().replace(/^W\//, ''))
    .includes(tag)
