import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { type Config, loadConfig } from '../../src/config.js'

/** What kustomize makes of deploy/kubernetes, read by what the tests compare with the code. */

const SECRETS = '/run/secrets/chat-cutover'

const objectSchema = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })
export type KubernetesObject = z.infer<typeof objectSchema>

const ports = z.array(z.object({ port: z.number() }))
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) })
export const security = z.strictObject({
  allowPrivilegeEscalation: z.literal(false),
  readOnlyRootFilesystem: z.literal(true),
  capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
})
const container = z.object({
  name: z.string(),
  image: z.string(),
  securityContext: security,
  env: z.array(z.object({ name: z.string() })).default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })).default([]),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
})
const selector = z.object({ matchLabels: z.record(z.string(), z.string()) })
export const deploymentSchema = z.object({
  spec: z.object({
    replicas: z.number().optional(),
    selector,
    strategy: z.object({ type: z.string() }).optional(),
    template: z.object({
      metadata: z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
      spec: z.object({
        automountServiceAccountToken: z.boolean(),
        terminationGracePeriodSeconds: z.number().optional(),
        securityContext: z.looseObject({
          runAsNonRoot: z.literal(true),
          runAsUser: z.number(),
          seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
        }),
        topologySpreadConstraints: z.array(z.object({ labelSelector: selector })).default([]),
        initContainers: z.array(container).default([]),
        containers: z.array(container).length(1),
        volumes: z.array(z.object({ name: z.string() })).default([]),
      }),
    }),
  }),
})
const configMapSchema = z.object({ data: z.record(z.string(), z.string()) })
export const scalerSchema = z.object({
  spec: z.object({
    scaleTargetRef: z.object({ name: z.string() }),
    minReplicas: z.number(),
    maxReplicas: z.number(),
    metrics: z
      .array(
        z.object({
          pods: z.object({
            metric: z.object({ name: z.string() }),
            target: z.object({ averageValue: z.string() }),
          }),
        }),
      )
      .length(1),
  }),
})
export const roleSchema = z.object({
  rules: z.array(
    z.strictObject({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
      verbs: z.array(z.string()),
    }),
  ),
})
export const policySchema = z.object({
  spec: z.object({
    podSelector: selector,
    ingress: z.array(z.object({ ports })),
    egress: z.array(z.object({ ports })),
  }),
})
export const budgetSchema = z.object({ spec: z.object({ selector, maxUnavailable: z.number().min(1) }) })
export const serviceSchema = z.object({
  spec: z.object({
    selector: z.record(z.string(), z.string()),
    ports: z.array(z.object({ targetPort: z.union([z.string(), z.number()]) })),
  }),
})

export const documentsOf = (text: string): unknown[] =>
  parseAllDocuments(text).flatMap((one) => {
    expect(one.errors).to.deep.equal([])
    const value: unknown = one.toJS()
    return value === null ? [] : [value]
  })

const rendered = new Map<string, readonly KubernetesObject[] | undefined>()

/** What `kubectl apply -k` would send; undefined where there is no kubectl. */
export function render(folder: string): readonly KubernetesObject[] | undefined {
  if (!rendered.has(folder)) rendered.set(folder, kustomized(folder))
  return rendered.get(folder)
}

function kustomized(folder: string): readonly KubernetesObject[] | undefined {
  const { error, status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  if (error !== undefined) return undefined
  expect(stderr).to.equal('')
  expect(status).to.equal(0)
  return documentsOf(stdout).map((value) => objectSchema.parse(value))
}

/** The only object of a kind and, where it is given, a name. */
export function one(objects: readonly KubernetesObject[], kind: string, name?: string): KubernetesObject {
  const found = objects.filter(
    (each) => each.kind === kind && (name ?? each.metadata.name) === each.metadata.name,
  )
  const [first] = found
  if (first === undefined || found.length > 1) throw new Error(`${found.length} of ${kind} ${name ?? ''}`)
  return first
}

export const deploymentOf = (objects: readonly KubernetesObject[]) =>
  deploymentSchema.parse(one(objects, 'Deployment', 'chat-cutover')).spec
export const variablesOf = (objects: readonly KubernetesObject[]) =>
  configMapSchema.parse(one(objects, 'ConfigMap')).data

/** What the service makes of the variables, with the files of the Secret as values. */
export function configOf(variables: Readonly<Record<string, string>>): Config {
  const secrets: Record<string, string> = {
    jwt_secret: 's'.repeat(32),
    llm_api_key: 'key',
    database_url: 'postgres://chat:word@db.example/chat',
    redis_url: 'redis://cache.example',
  }
  const given = Object.entries(variables).map(([name, value]): [string, string] => {
    if (!value.startsWith(`${SECRETS}/`)) return [name, value]
    const secret = secrets[value.slice(SECRETS.length + 1)]
    if (secret === undefined) throw new Error(`${name}: the Secret of this test has no ${value}`)
    return [name.replace(/_FILE$/, ''), secret]
  })
  return loadConfig({ ...Object.fromEntries(given), KUBERNETES_SERVICE_HOST: '10.0.0.1' })
}
