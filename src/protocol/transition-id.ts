/**
 * One change of the override, the same from each replica at any time: replica, revision, instant (wall ms) and kind. By this a
 * notification that comes twice is known.
 */
export const transitionId = (transition: {
  readonly replica: string
  readonly revision: number
  readonly at: number
  readonly kind?: string
}): string => {
  const { replica, revision, at, kind } = transition
  return [replica, revision, at, kind ?? ''].join('/')
}
