/** Hash of a file's bytes: what compare-and-set compares. */
export type ContentHash = string

/** One content of a shared file. Nothing here rejects: faults are values. */
export type Stored =
  | { readonly kind: 'text'; readonly text: string; readonly hash: ContentHash }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly fault: FlagStoreFault }

/** Why the store could not be read or written. */
export interface FlagStoreFault {
  /** `EROFS`, `ENOSPC`, `EACCES`, …, or `lock_timeout` */
  readonly code: string
  /** what is wrong, where, and what to do; ready for a log line */
  readonly message: string
}

/** What the writer saw before: only then is it replaced. */
export type Expected = ContentHash | 'missing'

export type WriteResult =
  /** `aside`: name of the copy beside the file, where one was to be kept */
  | { readonly kind: 'written'; readonly hash: ContentHash; readonly aside?: string }
  /** the content is not the expected one any more; this is what is there now */
  | { readonly kind: 'conflict'; readonly stored: Stored }
  /** nothing was changed, or (rarely) it cannot be told; read again */
  | { readonly kind: 'failed'; readonly fault: FlagStoreFault }

/** The operators' flags in a file or a document, of which this service and any number of people are editors. */
export interface OpsFile {
  /** what answers and messages call it; absent: the path of CHAT_FLAGS_FILE */
  readonly name?: string
  read(): Promise<Stored>
  /** Compare-and-set on the bytes. */
  write(text: string, expected: Expected): Promise<WriteResult>
  close(): Promise<void>
}

/** What replicas share: the override, and the lease beside it; two files under one lock, or two documents of an engine. */
export interface FlagStore {
  read(): Promise<Stored>
  /** Compare-and-set on the bytes. `keepAside`: what is replaced is kept as a copy beside the file. */
  write(text: string, expected: Expected, options?: { readonly keepAside?: boolean }): Promise<WriteResult>
  readLease(): Promise<Stored>
  writeLease(text: string, expected: Expected): Promise<WriteResult>
  /** Ends when no write is under way. */
  close(): Promise<void>
}
