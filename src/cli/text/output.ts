/** Where a command's words go; the process' own streams by default. */
export interface Output {
  out(text: string): void
  err(text: string): void
  /** columns of the screen that `out` is; absent where it is a file or a pipe */
  readonly columns?: number
}

export const processOutput: Output = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  ...(process.stdout.isTTY ? { columns: process.stdout.columns } : {}),
}
