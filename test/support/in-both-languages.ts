import { expect } from 'chai'

/** The faults as they came; each must be said in Chinese too. */
export function inBothLanguages<T extends { readonly message: string; readonly zh: string }>(
  faults: readonly T[],
): readonly T[] {
  for (const { message, zh } of faults) expect(zh, message).to.match(/[\u4e00-\u9fff]/)
  return faults
}
