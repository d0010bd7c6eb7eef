// How the instances of a pool get the client certificates with which their agents join.
import { acceptedProofs, type MasterConfig, requiresProof } from '../config/index.ts'
import {
  anchorsOf,
  loadTlsCredentials,
  type MasterAddress,
  masterUrl,
  rootsOf,
  type TlsCredentials,
  type TrustPlan,
} from '../pki/index.ts'
import { ipVersion } from '../platform/index.ts'
import { isError, type Problem, problem } from '../problems/index.ts'
import { type PoolTrust, type PoolTrustInput, type ProvidedPool, placeOf, planTrust } from './trust.ts'

/** What an instance needs to get its client certificate. */
export interface JoinSetup extends JoinEndpoint {
  /** Of several addresses of the built-in master the others. */
  others?: readonly JoinEndpoint[]
  /** PEM of what the instance trusts there; undefined: what its agent trusts of the master. */
  chain?: string
  /** SHA-256 of the roots of `chain`. */
  roots?: readonly string[]
  /** Kinds of proof, in the order in which they are tried; at least one. */
  proofs: readonly string[]
  /** The certificate is renewed at least this often. */
  renewSeconds: number
}

export interface JoinEndpoint {
  /** `join.url` or its default, without a slash at the end: proofs are made for it. */
  url: string
  /** The name that the instance verifies in the certificate of that address: a DNS name or an IP address. */
  name: string
}

/** In the order in which they are asked; none without `join`. */
export function joinEndpointsOf(join: JoinSetup | undefined): readonly JoinEndpoint[] {
  return join ? [join, ...(join.others ?? [])] : []
}

const daySeconds = 86_400

/** Undefined without `join`, and when a problem is an error. Without a trust plan only what does not depend on it is judged. */
export function planJoin(input: PoolTrustInput, trust: PoolTrust): { join?: JoinSetup; problems: Problem[] } {
  const { config, pool, providers } = input
  if (!requiresProof(pool.provider)) return { problems: [] }
  const { join, type } = pool.provider
  const endpoint = endpointOf(input, trust)
  const problems = [...notDemanded(config, pool), ...('code' in endpoint ? [endpoint] : [])]
  if ('code' in endpoint || !trust.trust) return { problems }
  if (trust.trust.mode === 'off' || trust.trust.mode === 'skip_verify')
    return { problems: [...problems, unverified(input, trust.trust)] }
  const verified = trustIn(endpoint, input, trust.trust)
  problems.push(...verified.problems)
  if (!verified.name) return { problems }
  const known = providers.find(({ kind }) => kind === type)?.proofKinds ?? []
  const proofs = acceptedProofs(join, known)
  const renewSeconds = Math.min(daySeconds, Math.floor(config.agents_ca.lifetime / 3000))
  const { name, chain, roots } = verified
  const { certificateName } = trust.trust
  // They are masters, too: verified as the first.
  const others = endpoint.others.map((address) => ({
    url: masterUrl(address),
    name: certificateName ?? address.host,
  }))
  return {
    join: {
      url: endpoint.url,
      name,
      ...(others.length > 0 && { others }),
      ...(chain !== undefined && { chain, roots }),
      proofs,
      renewSeconds,
    },
    problems,
  }
}

/** Only of a Determined master: the built-in one demands certificates in such pools, and others do not read this file. */
function notDemanded({ demand, resource_manager, ...config }: MasterConfig, pool: ProvidedPool): Problem[] {
  if (demand.type !== 'determined' || resource_manager.require_authentication) return []
  const where = placeOf({ demand, resource_manager, ...config }, pool, 'join')
  const message = `pool ${pool.pool_name} has \`join: required\`, but the master accepts every agent: require_authentication is off`
  return [problem('JOIN_NOT_DEMANDED', message, { where })]
}

function unverified({ config, pool }: PoolTrustInput, { mode, modeReason }: TrustPlan): Problem {
  const message = `pool ${pool.pool_name} has \`join: required\`, but agents do not verify the master: trust mode ${mode} (${modeReason})`
  return problem('JOIN_NEEDS_TLS', message, { where: placeOf(config, pool, 'join') })
}

// Where instances ask for a certificate, and who answers there.

interface Endpoint {
  url: string
  address: MasterAddress
  /** Agents dial the same address, so its certificate is that of the master. */
  isMaster: boolean
  /** Masters that are asked as well. */
  others: readonly MasterAddress[]
}

function endpointOf(
  { config, pool, providers }: PoolTrustInput,
  { master, otherMasters }: PoolTrust,
): Endpoint | Problem {
  const { listen, demand } = config
  const { join, type } = pool.provider
  const where = placeOf(config, pool, 'join')
  const isBuiltIn = demand.type === 'built-in'
  if (!isBuiltIn && !listen)
    return problem(
      'CONFIG_NEEDS_KEY',
      `pool ${pool.pool_name}: join needs listen, where instances ask for their certificates`,
      {
        where,
        remedy: 'Add `listen: {port: 8444}`, and its tls if security.tls has no key.',
      },
    )
  if (join.url !== undefined) {
    const address = addressIn(join.url)
    const isMaster =
      isBuiltIn && [master, ...otherMasters].some((one) => masterUrl(one) === masterUrl(address))
    return { url: join.url, address, isMaster, others: [] }
  }
  if (isBuiltIn) return { url: masterUrl(master), address: master, isMaster: true, others: otherMasters }
  const { address: host, port } = listen!
  const isHere = providers.find(({ kind }) => kind === type)?.defaultHost === loopback
  const dialled = isHere && isUnspecified(host) ? loopback : host.replace(/^\[(.*)\]$/, '$1')
  if (isUnspecified(dialled) || (isLoopback(dialled) && !isHere))
    return problem(
      'JOIN_URL_MISSING',
      `pool ${pool.pool_name}: instances cannot dial ${host}, the address of listen, to ask for their certificates`,
      {
        where,
        remedy: `Write \`join: {proof: required, url: "https://HOST:${port}"}\` with an address of the provisioner that instances can dial.`,
      },
    )
  const address = { scheme: 'https', host: dialled, port } as const
  return { url: masterUrl(address), address, isMaster: false, others: [] }
}

const loopback = '127.0.0.1'

function isUnspecified(host: string): boolean {
  return ['0.0.0.0', '::', '[::]', '*', ''].includes(host)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** Of a URL that the configuration has checked. */
function addressIn(url: string): MasterAddress {
  const { hostname, port } = new URL(url)
  return { scheme: 'https', host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 443) }
}

// How an instance verifies that address.

interface EndpointTrust {
  /** Undefined when a problem is an error. */
  name?: string
  chain?: string
  roots?: readonly string[]
  problems: Problem[]
}

function trustIn({ address, isMaster }: Endpoint, input: PoolTrustInput, trust: TrustPlan): EndpointTrust {
  if (isMaster) return { name: trust.certificateName ?? address.host, problems: [] }
  const { config, pool, now, roots } = input
  const where = placeOf(config, pool, 'join')
  const served = certificateAt(address, input)
  if (served.problems.some(isError)) return { problems: served.problems }
  if (!served.material) {
    const message = `pool ${pool.pool_name}: ${masterUrl(address)} has no certificate: neither listen.tls nor security.tls is set`
    return { problems: [problem('JOIN_NEEDS_TLS', message, { where })] }
  }
  const { plan, problems } = planTrust({
    address,
    options: { trust: 'auto', allow_ip_only: true },
    certificateName: '',
    material: served.material,
    now,
    roots,
    where,
  })
  // Warnings about the certificate of the master are reported with the pool's trust.
  const mine = served.material === input.material ? problems.filter(isError) : problems
  if (!plan) return { problems: mine }
  const chain = plan.mode === 'embed' ? anchorsOf(plan) : (plan.wellKnownRoot?.pem ?? '')
  const isShared = trust.mode === 'embed' && chain === anchorsOf(trust)
  return {
    name: plan.certificateName ?? address.host,
    ...(!isShared && { chain, roots: rootsOf(plan) }),
    problems: mine,
  }
}

/** The certificate of the listener that serves the address. */
function certificateAt(
  { port }: MasterAddress,
  { config, material, now }: PoolTrustInput,
): { material?: TlsCredentials | undefined; problems: Problem[] } {
  const { listen, demand } = config
  const isListener =
    listen !== undefined && (demand.type !== 'built-in' || (port === listen.port && port !== config.port))
  if (!isListener || !listen.tls) return { material, problems: [] }
  const where = { cert: config.locate('listen.tls.cert'), key: config.locate('listen.tls.key') }
  return loadTlsCredentials({ certFile: listen.tls.cert }, { now, where })
}

/** An address in the form for URLs. */
export function inUrl(host: string): string {
  return ipVersion(host) === 6 ? `[${host}]` : host
}
