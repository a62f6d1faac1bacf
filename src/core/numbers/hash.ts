/** 2^32 */
const RANGE = 4_294_967_296

/** A place from 0 to below 1 that is always the same for a text. */
export function placeOf(text: string): number {
  return hashOf(text) / RANGE
}

/** FNV-1a of the UTF-16 units (isthe.com/chongo/tech/comp/fnv), its bits mixed as MurmurHash3 does at its end. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
