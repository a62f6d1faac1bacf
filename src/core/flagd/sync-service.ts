import type { ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'

const STRUCT = 'google.protobuf.Struct'
const NAME = 'flagd.sync.v1.FlagSyncService'

// `comment` is there because protobufjs's types ask for it
const method = (name: string, responseStream: boolean) => ({
  requestType: `${name}Request`,
  responseType: `${name}Response`,
  responseStream,
  comment: '',
})

const request = { fields: { providerId: { type: 'string', id: 1 }, selector: { type: 'string', id: 2 } } }

/** `flagd/sync/v1/sync.proto` of flagd-schemas, inline: a build needs no `.proto` files. A Struct is only ever sent empty. */
const definitions = fromJSON({
  nested: {
    google: { nested: { protobuf: { nested: { Struct: { fields: {} } } } } },
    flagd: {
      nested: {
        sync: {
          nested: {
            v1: {
              nested: {
                SyncFlagsRequest: request,
                SyncFlagsResponse: {
                  fields: {
                    flagConfiguration: { type: 'string', id: 1 },
                    syncContext: { type: STRUCT, id: 2 },
                  },
                },
                FetchAllFlagsRequest: request,
                FetchAllFlagsResponse: { fields: { flagConfiguration: { type: 'string', id: 1 } } },
                GetMetadataRequest: { fields: {} },
                GetMetadataResponse: { fields: { metadata: { type: STRUCT, id: 2 } } },
                FlagSyncService: {
                  methods: {
                    SyncFlags: method('SyncFlags', true),
                    FetchAllFlags: method('FetchAllFlags', false),
                    GetMetadata: method('GetMetadata', false),
                  },
                },
              },
            },
          },
        },
      },
    },
  },
})

function loadedService(): ServiceDefinition {
  const definition = definitions[NAME]
  if (definition === undefined || 'format' in definition) throw new Error(`no gRPC service ${NAME}`)
  return definition
}

/** What flagd, and its in-process provider, ask for flags. */
export const flagSyncService = loadedService()
