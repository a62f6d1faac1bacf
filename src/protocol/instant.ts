/** Farthest a calendar reaches, ms from the epoch. */
const LIMIT = 8.64e15

/** ISO 8601 UTC of wall-clock ms; an instant no calendar knows (a broken clock wrote it) becomes the nearest one. */
export function instant(ms: number): string {
  return new Date(Math.min(Math.max(Number.isNaN(ms) ? 0 : ms, -LIMIT), LIMIT)).toISOString()
}
