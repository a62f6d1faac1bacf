import type { Clock } from '../../core/clock.js'
import { hashOf, isExpected, storedText } from '../content.js'
import type { Stored, WriteResult } from '../flag-store.js'
import type { DocumentName, DocumentWrite, SharedDocuments } from '../shared/documents.js'
import { OPS_NAMES, OVERRIDE_NAMES, tooLargeToWrite } from '../store-fault.js'
import {
  ASIDE_ANNOTATION,
  flagSpecOf,
  MAX_TEXT_BYTES,
  TEXT_ANNOTATION,
  textOfFeatureFlag,
  withAside,
} from './feature-flag.js'
import type { KubernetesAccess } from './kubernetes-access.js'
import { KubernetesApi, type KubernetesObject, KubernetesRefused, type Resource } from './kubernetes-api.js'
import { kubernetesFault } from './kubernetes-fault.js'
import { leaseSpecOf, textOfLease } from './lease-object.js'
import { ObjectWatch } from './object-watch.js'

const FEATURE_FLAGS: Resource = {
  api: 'apis/core.openfeature.dev/v1beta1',
  apiVersion: 'core.openfeature.dev/v1beta1',
  kind: 'FeatureFlag',
  plural: 'featureflags',
}
const LEASES: Resource = {
  api: 'apis/coordination.k8s.io/v1',
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
}

interface Place {
  readonly resource: Resource
  readonly name: string
  textOf(object: KubernetesObject): string
  /** undefined: no object can hold the text */
  specOf(text: string): Record<string, unknown> | undefined
}

const featureFlag = (name: string): Place => ({
  resource: FEATURE_FLAGS,
  name,
  textOf: textOfFeatureFlag,
  specOf: (text) => {
    const flagSpec = flagSpecOf(text)
    return flagSpec === undefined ? undefined : { flagSpec }
  },
})
const lease = (name: string): Place => ({ resource: LEASES, name, textOf: textOfLease, specOf: leaseSpecOf })

/** The Role of deploy/kubernetes names exactly these. */
const PLACES: Readonly<Record<DocumentName, Place>> = {
  override: featureFlag('chat-cutover-fallback'),
  ops: featureFlag('chat-cutover-flags'),
  'override-lease': lease('chat-cutover-fallback'),
  'rollout-lease': lease('chat-cutover-rollout'),
}

/** times that a write starts again where the object changed, and its text did not (labels, another annotation) */
const TRIES = 5

export interface KubernetesDocumentsOptions {
  readonly access: KubernetesAccess
  /** for messages; absent: that of the pod */
  readonly namespace?: string
  readonly clock: Clock
}

/** FeatureFlag objects of the OpenFeature Operator, which flagd reads too, and Lease objects; compare-and-set by `resourceVersion`. */
export function createKubernetesDocuments(options: KubernetesDocumentsOptions): SharedDocuments {
  return new KubernetesDocuments(options)
}

class KubernetesDocuments implements SharedDocuments {
  readonly #api: KubernetesApi
  readonly #watches = new Map<DocumentName, ObjectWatch>()

  constructor(private readonly options: KubernetesDocumentsOptions) {
    this.#api = new KubernetesApi(options.access)
  }

  nameOf(name: DocumentName): string {
    const { resource, name: object } = PLACES[name]
    const { namespace } = this.options
    return `kubernetes:${namespace === undefined ? '' : `${namespace}/`}${resource.plural}/${object}`
  }

  async read(name: DocumentName): Promise<Stored> {
    const { object } = await this.#watch(name).read()
    return storedOf(PLACES[name], object)
  }

  async write(name: DocumentName, write: DocumentWrite): Promise<WriteResult> {
    const place = PLACES[name]
    const { text, expected } = write
    if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
      const names = name === 'ops' ? OPS_NAMES : OVERRIDE_NAMES
      return { kind: 'failed', fault: tooLargeToWrite(this.nameOf(name), MAX_TEXT_BYTES, names) }
    }
    const spec = place.specOf(text)
    if (spec === undefined) return { kind: 'failed', fault: noDocument(this.nameOf(name)) }
    for (let attempt = 1; ; attempt += 1) {
      const { object } = await this.#watch(name).ask()
      const stored = storedOf(place, object)
      if (!isExpected(stored, expected) || attempt > TRIES) return { kind: 'conflict', stored }
      const made = this.#made(place, { object, spec, text, keepAside: write.keepAside })
      const written = await this.#put(place, object, made.object)
      if (written === undefined) continue
      this.#watch(name).saw(written)
      const aside = made.aside === undefined ? {} : { aside: made.aside }
      // Something on the server's side may have changed it; what is read is what the next write expects.
      return { kind: 'written', hash: hashOf(place.textOf(written)), ...aside }
    }
  }

  faultOf(...[thrown, action, name]: Parameters<SharedDocuments['faultOf']>) {
    return kubernetesFault(thrown, action, this.nameOf(name))
  }

  watch(name: DocumentName, onChange: () => void): () => void {
    return this.#watch(name).watch(onChange)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch.close()))
    this.#api.close()
  }

  #watch(name: DocumentName): ObjectWatch {
    const known = this.#watches.get(name)
    if (known !== undefined) return known
    const { resource, name: object } = PLACES[name]
    const made = new ObjectWatch(this.#api, resource, object, this.options.clock)
    this.#watches.set(name, made)
    return made
  }

  /** What is to be written: all that others put into the object stays. */
  #made(
    place: Place,
    write: {
      readonly object: KubernetesObject | undefined
      readonly spec: Record<string, unknown>
      readonly text: string
      readonly keepAside: boolean
    },
  ): { readonly object: object; readonly aside?: string } {
    const { object, text } = write
    const annotations = { ...object?.metadata.annotations, [TEXT_ANNOTATION]: text }
    const name = `${place.name}.unreadable-${stamp(this.options.clock.wall())}`
    const copies =
      write.keepAside && object !== undefined
        ? withAside(object, { name, text: place.textOf(object) })
        : undefined
    return {
      object: {
        ...object,
        apiVersion: place.resource.apiVersion,
        kind: place.resource.kind,
        metadata: {
          ...object?.metadata,
          name: place.name,
          annotations: copies === undefined ? annotations : { ...annotations, [ASIDE_ANNOTATION]: copies },
        },
        spec:
          place.resource === LEASES
            ? { ...leaseRest(object?.spec), ...write.spec }
            : { ...object?.spec, ...write.spec },
      },
      ...(copies === undefined ? {} : { aside: name }),
    }
  }

  /** Undefined where somebody else was faster. */
  async #put(
    { resource, name }: Place,
    present: KubernetesObject | undefined,
    object: object,
  ): Promise<KubernetesObject | undefined> {
    try {
      return present === undefined
        ? await this.#api.create(resource, object)
        : await this.#api.replace(resource, name, object)
    } catch (thrown) {
      const isRace =
        thrown instanceof KubernetesRefused &&
        (thrown.status === 409 || (thrown.status === 404 && present !== undefined))
      if (isRace) return undefined
      throw thrown
    }
  }
}

const storedOf = (place: Place, object: KubernetesObject | undefined): Stored =>
  storedText(object === undefined ? undefined : place.textOf(object))

/** The holder of before is none of the lease that is written. */
function leaseRest(spec: Record<string, unknown> = {}): Record<string, unknown> {
  const { holderIdentity, renewTime, ...rest } = spec
  return rest
}

const noDocument = (where: string) =>
  ({ code: 'invalid', message: `cannot write ${where}: it is no document of flags (invalid)` }) as const

const stamp = (wall: number): string => new Date(wall).toISOString().replaceAll(/[-:.]/g, '')
