// The process of the join endpoint that is attacked: one instance of each provider, their verifiers, and a state in a folder. Prints
// its port, and on each line of its input what it has seen since.
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { watchTurns } from '../../../bench/measure.ts'
import { listen } from '../../../src/http/listen.ts'
import { ensureCa, joinHandler, type LaunchedInstance, openAgentsCa } from '../../../src/join/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { aws } from '../../../src/providers/aws/definition.ts'
import { ownerTagsOf } from '../../../src/providers/contract.ts'
import { gcp } from '../../../src/providers/gcp/definition.ts'
import { local } from '../../../src/providers/local/definition.ts'
import { writeRecord } from '../../../src/providers/local/instance-record.ts'
import type { LocalConfig } from '../../../src/providers/local/request.ts'
import { capturingLogger } from '../capturing-logger.ts'
import { awsConfig, gcpConfig, owner } from '../cloud-pools.ts'
import { googleFetch, keyId } from '../join-proofs/identity-tokens.ts'
import { joinContext } from '../join-proofs/requests.ts'
import { storeIn } from '../state-store.ts'
import { type EndpointReport, type EndpointSettings, places } from './settings.ts'

const settings = JSON.parse(process.env['HOSTILE']!) as EndpointSettings
const { stateDir, url, now } = settings

const { join: store } = storeIn(stateDir)
await ensureCa(store, now)
const ca = openAgentsCa(store)

const localDir = join(stateDir, 'local')
for (const [id, secret] of Object.entries(settings.secrets)) {
  mkdirSync(join(localDir, id), { recursive: true })
  writeRecord(join(localDir, id), {
    ...{ id, instanceType: 'local', zone: '', capacityType: 'on_demand', launchedAt: now },
    tags: ownerTagsOf(owner, 'intent'),
    process: { pid: 1, start: '1' },
    joinSecretHash: createHash('sha256').update(secret).digest('hex'),
  })
}
const env = { AWS_ENDPOINT_URL_STS: settings.stsUrl }
const { fetch } = googleFetch(() => ({ [keyId]: settings.googleCertificate }))
const proof = {
  proof: 'required',
  proofs: ['aws-sts', 'aws-identity-document'],
  identity_certificates: settings.regionFile,
} as const
const localConfig = { type: 'local', slots: 1, join: { proof: 'required' } } as unknown as LocalConfig
const verifiers = {
  aws: aws.joinProofs!(
    awsConfig({ region: places.aws.region, join: { ...proof, proofs: [...proof.proofs] } }),
    joinContext({ env }),
  ),
  gcp: gcp.joinProofs!(
    gcpConfig({ project: places.gcp.project, zone: places.gcp.zone }),
    joinContext({ fetch }),
  ),
  local: local.joinProofs!(localConfig, joinContext({ stateDir: localDir })),
}
const instances = new Map<string, LaunchedInstance>()
for (const one of settings.instances)
  instances.set(one.id, {
    launchedAt: now,
    addresses: ['127.0.0.1', settings.privateIp],
    isAlive: true,
    ...one,
  })

const logger = capturingLogger()
const outcomes: Record<string, number> = {}
let last = ''
const handler = joinHandler({
  ...{ ca, store, logger, clock: systemClock, lifetime: 604_800_000 },
  poolOf: (pool) =>
    Object.hasOwn(verifiers, pool)
      ? { url, verifiers: verifiers[pool as keyof typeof verifiers] }
      : undefined,
  lookup: (id) => instances.get(id),
  limits: settings.limits,
  onOutcome({ outcome, code }) {
    const name = code ?? outcome
    last = name
    outcomes[name] = (outcomes[name] ?? 0) + 1
  },
})
const { port } = await listen({
  ...{ address: '127.0.0.1', port: 0, handlers: [handler], logger },
  tls: { cert: settings.cert, key: settings.key, clientCas: { agents: (await ca.current()).bundle } },
})
process.stdout.write(`${port}\n`)
let turns = watchTurns()
for await (const asked of createInterface({ input: process.stdin })) {
  if (asked === 'last') {
    process.stdout.write(`${JSON.stringify(last)}\n`)
    continue
  }
  const { worst, p99 } = turns.end()
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const bindings = (await store.bindings()).map(({ instance, key, otherKeyAt }) => ({
    instance,
    key,
    isContested: otherKeyAt !== undefined,
  }))
  const report: EndpointReport = { worst, p99, heapUsed, rss, outcomes, bindings, log: logger.lines }
  process.stdout.write(`${JSON.stringify(report)}\n`)
  turns = watchTurns()
}
process.exit(0)
