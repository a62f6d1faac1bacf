import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { z } from 'zod'
import { createKubernetesDocuments } from '../../src/store/kubernetes/kubernetes-documents.js'
import { exportedMetrics } from '../support/exported-metrics.js'
import {
  budgetSchema,
  configOf,
  deploymentOf,
  documentsOf,
  type KubernetesObject,
  one,
  policySchema,
  render,
  roleSchema,
  scalerSchema,
  security,
  serviceSchema,
  variablesOf,
} from '../support/kubernetes-manifests.js'
import { manualClock } from '../support/manual-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/** deploy/kubernetes against the code: variables, ports, probes, metrics, names of objects. */

const FOLDER = 'deploy/kubernetes'
const OVERLAYS = ['file', 'postgres', 'kubernetes'] as const

/** An overlay of somebody's own: one of ours, with a component. */
function withComponent(
  folder: string,
  overlay: string,
  component: string,
): readonly KubernetesObject[] | undefined {
  const at = (name: string): string => relative(folder, join(process.cwd(), FOLDER, name))
  const kustomization = { resources: [at(overlay)], components: [at(`components/${component}`)] }
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
  return render(folder)
}

const podSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(
          z.looseObject({
            name: z.string(),
            image: z.string(),
            args: z.array(z.string()).default([]),
            ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
            securityContext: z.looseObject(security.shape),
          }),
        ),
      }),
    }),
  }),
})

const egressPorts = (objects: readonly KubernetesObject[]): number[] =>
  policySchema
    .parse(one(objects, 'NetworkPolicy'))
    .spec.egress.flatMap((rule) => rule.ports.map(({ port }) => port))

describe('deploy/kubernetes', () => {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.yaml'),
  )

  it('has no file that no kustomization names, and names none that is missing', () => {
    const schema = z.object({
      resources: z.array(z.string()).default([]),
      patches: z.array(z.object({ path: z.string().optional() })).default([]),
    })
    const kustomizations = files.filter((name) => name.endsWith('kustomization.yaml'))
    expect(kustomizations).to.have.length(OVERLAYS.length + 3)
    const named = kustomizations.flatMap((file) => {
      const { resources, patches } = schema.parse(parse(readFileSync(join(FOLDER, file), 'utf8')))
      return [...resources, ...patches.flatMap(({ path }) => path ?? [])].map((name) =>
        relative(FOLDER, join(FOLDER, dirname(file), name)),
      )
    })
    for (const name of named) expect(existsSync(join(FOLDER, name)), name).to.equal(true)
    const plain = files.filter((name) => !name.endsWith('kustomization.yaml'))
    expect(plain.filter((name) => !named.includes(name))).to.deep.equal([])
  })

  it('names in its Role the objects that the code uses, and no others', () => {
    const text = readFileSync(join(FOLDER, 'overlays/kubernetes/rbac.yaml'), 'utf8')
    const { rules } = roleSchema.parse(documentsOf(text)[0])
    const documents = createKubernetesDocuments({
      clock: manualClock(),
      namespace: 'chat',
      access: {
        server: 'http://127.0.0.1:1',
        namespace: async () => 'chat',
        token: async () => undefined,
        authority: async () => undefined,
      },
    })
    const used = (['override', 'ops', 'override-lease', 'rollout-lease'] as const).map((name) =>
      documents.nameOf(name).replace('kubernetes:chat/', ''),
    )
    const named = rules.flatMap(({ resources, resourceNames = [] }) =>
      resourceNames.map((name) => `${resources.join()}/${name}`),
    )
    expect(named.sort()).to.deep.equal(used.sort())
    for (const { resourceNames, verbs } of rules)
      expect(verbs).to.deep.equal(
        resourceNames === undefined ? ['create'] : ['get', 'list', 'watch', 'update'],
      )
  })

  it('carries the version of the package', () => {
    const schema = z.object({ images: z.tuple([z.object({ newTag: z.string() })]) })
    const { images } = schema.parse(parse(readFileSync(join(FOLDER, 'base/kustomization.yaml'), 'utf8')))
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync('package.json', 'utf8')))
    expect(images[0].newTag).to.equal(version)
  })

  for (const overlay of OVERLAYS)
    describe(`overlays/${overlay}`, () => {
      let objects: readonly KubernetesObject[] = []

      before(function () {
        this.timeout(30_000)
        const all = render(join(FOLDER, 'overlays', overlay))
        // This machine has no kubectl.
        if (all === undefined) this.skip()
        objects = all
      })

      it('sets only variables the service reads, to values it accepts', () => {
        const known = readFileSync('.env.example', 'utf8')
        const variables = variablesOf(objects)
        const own = deploymentOf(objects).template.spec.containers.flatMap(({ env }) =>
          env.map(({ name }) => name),
        )
        for (const name of [...Object.keys(variables), ...own]) expect(known).to.contain(`\n${name}=`)
        const { host, flags, database, redis } = configOf(variables)
        expect(host).to.equal('0.0.0.0')
        expect(flags.resolver).to.equal('file')
        expect(flags.store?.kind ?? 'file').to.equal(overlay)
        expect(flags.opsInStore ?? false).to.equal(overlay !== 'file')
        expect(database.startsWith('postgres://')).to.equal(overlay !== 'file')
        expect(redis === undefined).to.equal(overlay === 'file')
      })

      it('probes and exposes what the service serves', () => {
        const { port } = configOf(variablesOf(objects))
        const { template, selector: own } = deploymentOf(objects)
        const routes = readFileSync('src/http/health-routes.ts', 'utf8')
        const [chat] = template.spec.containers
        expect(chat?.ports).to.deep.equal([{ name: 'http', containerPort: port }])
        const probes = [chat?.startupProbe, chat?.livenessProbe, chat?.readinessProbe]
        expect(probes.map((each) => each?.httpGet.path)).to.deep.equal([
          '/health/live',
          '/health/live',
          '/health/ready',
        ])
        for (const path of [
          ...probes.map((each) => each?.httpGet.path),
          template.metadata.annotations?.['prometheus.io/path'],
        ])
          expect(routes).to.contain(`router.get('${path}'`)
        for (const each of probes) expect(each?.httpGet.port).to.equal('http')
        expect(template.metadata.annotations?.['prometheus.io/port']).to.equal(String(port))
        const service = serviceSchema.parse(one(objects, 'Service', 'chat-cutover')).spec
        expect(service.ports.map(({ targetPort }) => targetPort)).to.deep.equal(['http'])
        expect(service.selector).to.deep.equal(own.matchLabels)
        expect(template.metadata.labels).to.deep.equal(own.matchLabels)
      })

      it('has rights only where the code needs them', () => {
        const { spec } = deploymentOf(objects).template
        expect(spec.automountServiceAccountToken).to.equal(overlay === 'kubernetes')
        expect(objects.filter(({ kind }) => /Role/.test(kind))).to.have.length(
          overlay === 'kubernetes' ? 2 : 0,
        )
        expect(readFileSync('Dockerfile', 'utf8')).to.contain(`USER ${spec.securityContext.runAsUser}:`)
      })

      it('has one image in all its containers, that of the base', () => {
        const { initContainers, containers } = deploymentOf(objects).template.spec
        const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
        for (const { image } of [...initContainers, ...containers])
          expect(image).to.equal(`registry.example/chat-cutover:${version}`)
      })

      it('mounts what it names, and writes only into volumes', () => {
        const { spec } = deploymentOf(objects).template
        const volumes = spec.volumes.map(({ name }) => name)
        const mounts = [...spec.initContainers, ...spec.containers].flatMap(
          ({ volumeMounts }) => volumeMounts,
        )
        for (const { name } of mounts) expect(volumes).to.include(name)
        const folders = mounts.map(({ mountPath }) => mountPath)
        const variables = variablesOf(objects)
        const { CHAT_DATABASE, CHAT_FLAGS_FILE, CHAT_FALLBACK_FLAGS_FILE } = variables
        const written = [CHAT_DATABASE, CHAT_FLAGS_FILE, CHAT_FALLBACK_FLAGS_FILE].filter(
          (file) => file !== undefined,
        )
        expect(written).to.have.length(overlay === 'file' ? 3 : 0)
        const secret = Object.entries(variables).flatMap(([name, value]) =>
          name.endsWith('_FILE') && value.startsWith('/run') ? value : [],
        )
        for (const file of [...written, ...secret])
          expect(
            folders.some((folder) => file.startsWith(`${folder}/`)),
            file,
          ).to.equal(true)
      })

      it('waits longer for the end than the service drains', () => {
        const { lameduckMs, drainMs } = configOf(variablesOf(objects))
        const seconds = deploymentOf(objects).template.spec.terminationGracePeriodSeconds ?? 0
        expect(seconds * 1000).to.be.at.least(lameduckMs + drainMs + 5000)
      })

      it('lets out what the engines need', () => {
        const egress = egressPorts(objects)
        expect(egress).to.include.members([
          53,
          443,
          Number(new URL(configOf(variablesOf(objects)).runtime.url).port),
        ])
        for (const port of [5432, 6379]) expect(egress.includes(port)).to.equal(overlay !== 'file')
        expect(egress.includes(6443)).to.equal(overlay === 'kubernetes')
        const { podSelector, ingress } = policySchema.parse(one(objects, 'NetworkPolicy')).spec
        expect(podSelector).to.deep.equal(deploymentOf(objects).selector)
        expect(ingress.flatMap((rule) => rule.ports.map(({ port }) => port))).to.deep.equal([3001])
      })

      if (overlay === 'file')
        it('runs one replica, which is gone before the next one starts', () => {
          const { replicas, strategy } = deploymentOf(objects)
          expect(replicas).to.equal(1)
          expect(strategy).to.deep.equal({ type: 'Recreate' })
          expect(objects.map(({ kind }) => kind)).to.not.include.oneOf([
            'HorizontalPodAutoscaler',
            'PodDisruptionBudget',
          ])
        })
      else
        it('scales by a metric there is, at half of the streams of a replica', async () => {
          const { spec } = scalerSchema.parse(one(objects, 'HorizontalPodAutoscaler'))
          const [metric] = spec.metrics
          const exported = await exportedMetrics()
          expect(exported.has(metric?.pods.metric.name ?? '')).to.equal(true)
          const config = configOf(variablesOf(objects))
          expect(Number(metric?.pods.target.averageValue)).to.equal(config.maxStreams / 2)
          expect(spec.scaleTargetRef.name).to.equal('chat-cutover')
          // PostgreSQL allows 100 connections unless told otherwise; the flag store has three more a replica, and an update one replica more.
          expect((spec.maxReplicas + 1) * (config.databaseLimits.poolSize + 3)).to.be.below(97)
          const budget = budgetSchema.parse(one(objects, 'PodDisruptionBudget')).spec
          expect(budget.selector).to.deep.equal(deploymentOf(objects).selector)
          expect(budget.maxUnavailable).to.be.below(spec.minReplicas)
          for (const { labelSelector } of deploymentOf(objects).template.spec.topologySpreadConstraints)
            expect(labelSelector).to.deep.equal(deploymentOf(objects).selector)
        })
    })

  describe('components/flagd-sidecar', () => {
    const directory = temporaryDirectory()

    for (const overlay of OVERLAYS)
      it(`gives the pods of ${overlay} a flagd that has its flags from the service, and the service its own from it`, function () {
        this.timeout(30_000)
        const objects = withComponent(dirname(directory.path('x')), `overlays/${overlay}`, 'flagd-sidecar')
        // This machine has no kubectl.
        if (objects === undefined) return this.skip()
        const { flags } = configOf(variablesOf(objects))
        const { containers } = podSchema.parse(one(objects, 'Deployment', 'chat-cutover')).spec.template.spec
        const flagd = containers.find(({ name }) => name === 'flagd')
        expect(containers).to.have.length(2)
        expect(flagd?.image).to.equal('ghcr.io/open-feature/flagd:v0.16.1')
        expect(JSON.parse(flagd?.args.at(-1) ?? '')).to.deep.equal([
          { uri: `127.0.0.1:${flags.sourcePort}`, provider: 'grpc' },
        ])
        expect(flags.resolver).to.equal('in-process')
        expect(flags.flagd.host).to.equal('127.0.0.1')
        expect(flagd?.ports).to.deep.include({ name: 'sync', containerPort: flags.flagd.port })
        expect(flagd).to.not.have.property('readinessProbe')
        // Nobody outside of the pod reaches either port.
        const { ingress } = policySchema.parse(one(objects, 'NetworkPolicy')).spec
        expect(ingress.flatMap((rule) => rule.ports.map(({ port }) => port))).to.deep.equal([3001])
      })
  })

  describe('components/flagd', () => {
    const directory = temporaryDirectory()

    it('gets its flags from the port that the service serves', function () {
      this.timeout(30_000)
      const objects = withComponent(dirname(directory.path('x')), 'overlays/postgres', 'flagd')
      // This machine has no kubectl.
      if (objects === undefined) return this.skip()
      const port = configOf(variablesOf(objects)).flags.sourcePort
      const flagd = z
        .object({
          spec: z.object({
            template: z.object({
              spec: z.object({
                containers: z.tuple([
                  z.looseObject({ image: z.string(), args: z.array(z.string()), securityContext: security }),
                ]),
              }),
            }),
          }),
        })
        .parse(one(objects, 'Deployment', 'flagd')).spec.template.spec.containers[0]
      expect(flagd.image).to.equal('ghcr.io/open-feature/flagd:v0.16.1')
      expect(JSON.parse(flagd.args.at(-1) ?? '')).to.deep.equal([
        { uri: `chat-cutover-flags:${port}`, provider: 'grpc' },
      ])
      const service = serviceSchema.parse(one(objects, 'Service', 'chat-cutover-flags')).spec
      expect(service.ports.map(({ targetPort }) => targetPort)).to.deep.equal([port])
      expect(service.selector).to.deep.equal(deploymentOf(objects).selector.matchLabels)
      const { ingress } = policySchema.parse(one(objects, 'NetworkPolicy')).spec
      expect(ingress.flatMap((rule) => rule.ports.map((each) => each.port))).to.deep.equal([3001, port])
    })
  })
})
