/** 1: the service is not there, refuses, or something is wrong; 2: wrong usage; 130: ended by Ctrl-C. */
export type ExitCode = 0 | 1 | 2 | 130

/** Why a command ended; `message` is ready to print. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'

  constructor(
    message: string,
    readonly exitCode: Exclude<ExitCode, 0>,
  ) {
    super(message)
  }
}

/** The service answered, and refused. */
export class Refused extends CommandError {
  override readonly name = 'Refused'

  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
  ) {
    super(message, 1)
  }
}

/** Nothing answered in time, or it went away. */
export class Unreachable extends CommandError {
  override readonly name = 'Unreachable'

  constructor(message: string) {
    super(message, 1)
  }
}

/** Ctrl-C. */
export class Interrupted extends CommandError {
  override readonly name = 'Interrupted'

  constructor() {
    super('', 130)
  }
}
