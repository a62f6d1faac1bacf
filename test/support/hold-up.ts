/** The event loop stands still for so many ms, as while heavy work runs or the process is stopped: without using the CPU that other tests need. */
export function holdUp(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
