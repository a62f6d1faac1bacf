import type { ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import type { WireStruct } from './flagd-struct.js'

/**
 * The part of flagd's two gRPC contracts that `@openfeature/flagd-provider` speaks, inline so that a build needs
 * no `.proto` files. Numbers: `flagd/evaluation/v2/evaluation.proto` and `flagd/sync/v1/sync.proto` of flagd-schemas.
 */

const STRUCT = 'google.protobuf.Struct'

const resolveRequest = { fields: { flagKey: { type: 'string', id: 1 }, context: { type: STRUCT, id: 2 } } }

const resolveResponse = (valueType: string) => ({
  fields: {
    value: { type: valueType, id: 1 },
    reason: { type: 'string', id: 2 },
    variant: { type: 'string', id: 3 },
    metadata: { type: STRUCT, id: 4 },
  },
})

// `comment` is there because protobufjs's types ask for it
const method = (requestType: string, responseType: string, responseStream = false) => ({
  requestType,
  responseType,
  responseStream,
  comment: '',
})

const resolveMethod = (type: string) => method(`Resolve${type}Request`, `Resolve${type}Response`)

const google = {
  NullValue: { values: { NULL_VALUE: 0 } },
  Struct: { fields: { fields: { keyType: 'string', type: 'Value', id: 1 } } },
  ListValue: { fields: { values: { rule: 'repeated', type: 'Value', id: 1 } } },
  Value: {
    oneofs: {
      kind: { oneof: ['nullValue', 'numberValue', 'stringValue', 'boolValue', 'structValue', 'listValue'] },
    },
    fields: {
      nullValue: { type: 'NullValue', id: 1 },
      numberValue: { type: 'double', id: 2 },
      stringValue: { type: 'string', id: 3 },
      boolValue: { type: 'bool', id: 4 },
      structValue: { type: 'Struct', id: 5 },
      listValue: { type: 'ListValue', id: 6 },
    },
  },
}

const evaluation = {
  ResolveBooleanRequest: resolveRequest,
  ResolveBooleanResponse: resolveResponse('bool'),
  ResolveStringRequest: resolveRequest,
  ResolveStringResponse: resolveResponse('string'),
  ResolveFloatRequest: resolveRequest,
  ResolveFloatResponse: resolveResponse('double'),
  ResolveIntRequest: resolveRequest,
  ResolveIntResponse: resolveResponse('int64'),
  ResolveObjectRequest: resolveRequest,
  ResolveObjectResponse: resolveResponse(STRUCT),
  EventStreamRequest: { fields: {} },
  EventStreamResponse: { fields: { type: { type: 'string', id: 1 }, data: { type: STRUCT, id: 2 } } },
  Service: {
    methods: {
      ResolveBoolean: resolveMethod('Boolean'),
      ResolveString: resolveMethod('String'),
      ResolveFloat: resolveMethod('Float'),
      ResolveInt: resolveMethod('Int'),
      ResolveObject: resolveMethod('Object'),
      EventStream: method('EventStreamRequest', 'EventStreamResponse', true),
    },
  },
}

const syncRequest = { fields: { providerId: { type: 'string', id: 1 }, selector: { type: 'string', id: 2 } } }

const sync = {
  SyncFlagsRequest: syncRequest,
  SyncFlagsResponse: {
    fields: { flagConfiguration: { type: 'string', id: 1 }, syncContext: { type: STRUCT, id: 2 } },
  },
  FetchAllFlagsRequest: syncRequest,
  FetchAllFlagsResponse: { fields: { flagConfiguration: { type: 'string', id: 1 } } },
  GetMetadataRequest: { fields: {} },
  GetMetadataResponse: { fields: { metadata: { type: STRUCT, id: 2 } } },
  FlagSyncService: {
    methods: {
      SyncFlags: method('SyncFlagsRequest', 'SyncFlagsResponse', true),
      FetchAllFlags: method('FetchAllFlagsRequest', 'FetchAllFlagsResponse'),
      GetMetadata: method('GetMetadataRequest', 'GetMetadataResponse'),
    },
  },
}

const definitions = fromJSON(
  {
    nested: {
      google: { nested: { protobuf: { nested: google } } },
      flagd: {
        nested: {
          evaluation: { nested: { v2: { nested: evaluation } } },
          sync: { nested: { v1: { nested: sync } } },
        },
      },
    },
  },
  { longs: Number },
)

type Definition = (typeof definitions)[string]
type LoadedService = Exclude<Definition, { format: string }>

const isService = (definition: Definition): definition is LoadedService => !('format' in definition)

function serviceNamed(name: string): ServiceDefinition {
  const definition = definitions[name]
  if (definition === undefined || !isService(definition)) throw new Error(`no gRPC service ${name}`)
  return definition
}

export const evaluationService = serviceNamed('flagd.evaluation.v2.Service')
export const syncService = serviceNamed('flagd.sync.v1.FlagSyncService')

export interface ResolveRequest {
  readonly flagKey?: string
  readonly context?: WireStruct | null
}

/** `value` and `variant` are left out where the caller's code default decides. */
export interface ResolveResponse {
  readonly value?: boolean | string | number | WireStruct
  readonly reason: string
  readonly variant?: string
  readonly metadata: WireStruct
}

export interface EventMessage {
  readonly type: 'provider_ready' | 'configuration_change' | 'keep_alive'
  readonly data: WireStruct
}

export interface SyncMessage {
  /** JSON text of every flag */
  readonly flagConfiguration: string
  readonly syncContext: WireStruct
}
