const END = '# EOF'
const FAMILY = /^# (?:HELP|TYPE|UNIT) (\S+) /

interface Family {
  readonly head: string[]
  readonly samples: string[]
}

/**
 * The expositions of several workers as one, in either format: each metric once, with the samples of all. Their labels tell the
 * workers apart, so nothing is added up. Pure.
 */
export function mergeExpositions(bodies: readonly string[]): string {
  const families = new Map<string, Family>()
  for (const body of bodies) addTo(families, body)
  const lines = [...families.values()].flatMap(({ head, samples }) => [...head, ...samples])
  const isOpenMetrics = bodies.some((body) => body.trimEnd().endsWith(END))
  return `${[...lines, ...(isOpenMetrics ? [END] : [])].join('\n')}\n`
}

function addTo(families: Map<string, Family>, body: string): void {
  /** told by an earlier body: their heads are there */
  const known = new Set(families.keys())
  let family: Family | undefined
  for (const line of body.split('\n')) {
    const name = FAMILY.exec(line)?.[1]
    if (name !== undefined) {
      family = families.get(name) ?? { head: [], samples: [] }
      families.set(name, family)
      if (!known.has(name)) family.head.push(line)
    } else if (line !== '' && line !== END) family?.samples.push(line)
  }
}
