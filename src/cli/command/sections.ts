/** The sections of the help, in its order. */
export const SECTIONS = ['see', 'steer', 'try', 'check', 'setup'] as const
export type Section = (typeof SECTIONS)[number]
