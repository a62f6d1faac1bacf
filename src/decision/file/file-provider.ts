import type { FeatureFlag, FlagdCore } from '@openfeature/flagd-core'
import {
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from '@openfeature/server-sdk'
import type { Clock } from '../../core/clock.js'
import { changedFlags, fieldsRead, type Loaded, loadFlags } from '../check/flag-source.js'
import { type FlagIssue, isRefusing } from '../check/ops-file-check.js'
import type { SharedField } from '../check/read-fields.js'
import { flagCoreOf } from '../flag-core.js'
import type { FaultFound, FlagFaults } from '../flag-faults.js'
import { FLAGS_OF_FILE, type FlagDocuments, type FlagFileKind } from '../flags.js'
import type { FlagFileContent } from '../read-flag-file.js'
import { silentSdkLogger } from '../sdk-logger.js'
import { FlagFile, type Reception } from './flag-file.js'
import { troubleFaults } from './flag-file-trouble.js'

/** One of the two files, with the flags of it that are in effect. */
interface Source {
  readonly kind: FlagFileKind
  readonly file: FlagFile
  flags: ReadonlyMap<string, FeatureFlag>
  /** a content was taken over at least once */
  known: boolean
  /** the present content is refused as a whole */
  refused: boolean
  /** flags whose present text is refused */
  refusedFlags: ReadonlySet<string>
}

export interface FileProviderOptions {
  readonly opsFile: string
  readonly overrideFile: string
  readonly clock: Clock
  readonly faults: FlagFaults
  /** the files that are read; default: both */
  readonly kinds?: readonly FlagFileKind[]
  /** in place of files */
  readonly documents?: FlagDocuments
  /** default: from the disk */
  readonly readFlagFile?: (path: string) => Promise<FlagFileContent>
  /** Told of each content of the operators' file that is in effect; `isWhole`: no flag of it is refused. */
  onOpsLoaded(text: string, isWhole: boolean): void
  /** Told after the new flags are in effect. */
  onChange(file: string, keys: readonly string[]): void
}

/**
 * Resolver `file`: both flag files, evaluated here by flagd-core and watched. A content that is refused leaves that
 * file's last good flags in effect; a file that never was good has none, so its flags take their code defaults.
 */
export class FileProvider implements Provider {
  readonly metadata = { name: 'chat-cutover-file' } as const
  readonly runsOn = 'server'
  readonly events = new OpenFeatureEventEmitter()
  readonly #sources: readonly Source[]
  readonly #core: FlagdCore
  #flags: ReadonlyMap<string, FeatureFlag> = new Map()
  #stale: ReadonlySet<string> = new Set()
  #started = false
  #version = 0

  constructor(private readonly options: FileProviderOptions) {
    const { opsFile, overrideFile, kinds = ['ops', 'override'] } = options
    this.#sources = kinds.map((kind) => this.#source(kind, kind === 'ops' ? opsFile : overrideFile))
    this.#core = flagCoreOf(() => this.#flags)
  }

  /** Ends when both files were read once. Rejects when neither is good: READY follows when one becomes so. */
  async initialize(): Promise<void> {
    await Promise.all(this.#sources.map(({ file }) => file.start()))
    this.#started = true
    if (this.state() === 'unavailable') throw new Error('no flag file can be used')
    // The SDK sets READY when this promise is done, so STALE has to come after it.
    if (this.state() === 'stale')
      this.options.clock.schedule(0, () => {
        if (this.state() === 'stale')
          this.events.emit(ProviderEvents.Stale, { message: 'a flag file is refused' })
      })
  }

  /** Another one after each change of the flags in effect, and after the end. */
  get version(): number {
    return this.#version
  }

  /** The fields of a caller by which this flag is decided; undefined where it may be others, and where there is no such flag. */
  fieldsRead(key: string): ReadonlySet<SharedField> | undefined {
    const flag = this.#flags.get(key)
    return flag && fieldsRead(flag)
  }

  async onClose(): Promise<void> {
    this.#version += 1
    await Promise.all(this.#sources.map(({ file }) => file.close()))
  }

  state(): 'ready' | 'stale' | 'unavailable' {
    if (this.#sources.every(({ known }) => !known)) return 'unavailable'
    return this.#sources.some(({ refused, refusedFlags }) => refused || refusedFlags.size > 0)
      ? 'stale'
      : 'ready'
  }

  /** Whether the file of this flag was ever read. */
  wasRead(key: string): boolean {
    const kind: FlagFileKind = FLAGS_OF_FILE.override.has(key) ? 'override' : 'ops'
    return this.#sources.some((source) => source.kind === kind && source.known)
  }

  /** Whether what is in effect for this flag is older than its file. */
  isStale(key: string): boolean {
    return this.#stale.has(key)
  }

  resolveBooleanEvaluation(
    key: string,
    fallback: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return Promise.resolve(this.#core.resolveBooleanEvaluation(key, fallback, context, silentSdkLogger))
  }

  resolveStringEvaluation(
    key: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return Promise.resolve(this.#core.resolveStringEvaluation(key, fallback, context, silentSdkLogger))
  }

  resolveNumberEvaluation(
    key: string,
    fallback: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return Promise.resolve(this.#core.resolveNumberEvaluation(key, fallback, context, silentSdkLogger))
  }

  resolveObjectEvaluation<T extends JsonValue>(
    key: string,
    fallback: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    return Promise.resolve(this.#core.resolveObjectEvaluation(key, fallback, context, silentSdkLogger))
  }

  #source(kind: FlagFileKind, configured: string): Source {
    const { clock, faults, readFlagFile, documents } = this.options
    const document = documents?.[kind]
    const path = document?.name ?? configured
    const file = new FlagFile({
      path,
      ...(document === undefined ? {} : { document }),
      clock,
      ...(readFlagFile === undefined ? {} : { read: readFlagFile }),
      onContent: (content, settled) => this.#take(source, content, settled),
      onTrouble: (trouble) => faults.replace(`look:${kind}`, troubleFaults(path, trouble)),
    })
    const source: Source = {
      kind,
      file,
      flags: new Map(),
      known: false,
      refused: false,
      refusedFlags: new Set(),
    }
    return source
  }

  /** Good content is in effect at once; a refusal is told only when the content stays (an editor may be in mid-save). */
  #take(source: Source, content: FlagFileContent, settled: boolean): Reception {
    const loaded = loadFlags(content, source.kind, source.flags)
    if (loaded.kind === 'refused' && !settled) return 'doubtful'
    const before = { flags: this.#flags, state: this.state() }
    source.refused = loaded.kind === 'refused'
    if (loaded.kind === 'loaded') {
      source.flags = loaded.flags
      source.refusedFlags = loaded.refusedFlags
      source.known = true
      if (source.kind === 'ops' && content.kind === 'text')
        this.options.onOpsLoaded(content.text, !loaded.issues.some(isRefusing))
    }
    this.#merge()
    this.options.faults.replace(
      `file:${source.kind}`,
      describeFaults(source, loaded, content.kind === 'text'),
    )
    if (this.#started) this.#tell(source, before)
    return 'taken'
  }

  #merge(): void {
    this.#version += 1
    this.#flags = new Map(this.#sources.flatMap(({ flags }) => [...flags]))
    this.#stale = new Set(
      this.#sources.flatMap(({ refused, flags, refusedFlags }) =>
        refused ? [...flags.keys()] : [...refusedFlags],
      ),
    )
  }

  #tell(source: Source, before: { flags: ReadonlyMap<string, FeatureFlag>; state: string }): void {
    const changed = changedFlags(before.flags, this.#flags)
    const state = this.state()
    if (state !== before.state)
      if (state === 'ready') this.events.emit(ProviderEvents.Ready)
      else this.events.emit(ProviderEvents.Stale, { message: 'a flag file is refused' })
    if (changed.length === 0) return
    this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: changed })
    this.options.onChange(source.file.path, changed)
  }
}

function describeFaults(source: Source, loaded: Loaded, hasLines: boolean): FaultFound[] {
  return loaded.issues.map(({ line, path, message, refuses }) => {
    const place = path === '' ? '' : `${path}: `
    return {
      where: source.file.path,
      ...(hasLines ? { line } : {}),
      message: `${place}${message}; ${inForce(refuses, source)}`,
    }
  })
}

function inForce(refuses: FlagIssue['refuses'], source: Source): string {
  switch (refuses) {
    case 'nothing':
      return 'it is in force as written'
    case 'flag':
      return FLAG_IN_FORCE
    case 'file':
      return fileInForce(source)
  }
}

const FLAG_IN_FORCE = 'the last good value of this flag stays in force, where there was one'

function fileInForce(source: Source): string {
  return source.known
    ? 'the last good flags of this file stay in force'
    : 'flags kept from an earlier run are in force where there are any, then code defaults'
}
