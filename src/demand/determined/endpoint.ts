// Where the Determined master is dialled and what is trusted there: the rules are those for agents, and never off.

import { planTrust } from '../../agent-setup/trust.ts'
import type { MasterConfig } from '../../config/master-config.ts'
import { loadMaterial } from '../../pki/credentials.ts'
import { type AgentDialOptions, dialOptions } from '../../pki/dial-options.ts'
import type { MasterAddress } from '../../pki/master-address.ts'
import { loadTrustAnchors } from '../../pki/trust-anchors.ts'
import { anchorsOf } from '../../pki/trust-plan.ts'
import { isError, type Problem, ProvisionError, problem } from '../../problems/problem.ts'

export interface Endpoint {
  address: MasterAddress
  /** undefined: plain http. */
  trust?: EndpointTrust
  /** About the way to the master alone. */
  warnings: Problem[]
}

export interface EndpointTrust {
  options: AgentDialOptions
  /** The name that is verified. */
  name: string
  /** For messages. */
  anchors: string
}

type Wanted = Pick<MasterConfig, 'file' | 'port' | 'security' | 'demand'>

/** Reads the certificate files. Throws a ProvisionError that names what is wrong with them. */
export function endpointOf(config: Wanted, now: number): Endpoint {
  const address = addressOf(config)
  if (address.scheme === 'http') return { address, warnings: plainHttp(address, config) }
  const { demand, file, security } = config
  const cert = demand.ca_file === undefined ? security.tls?.cert : undefined
  const where = { file, path: cert ? 'security.tls.cert' : 'demand' }
  const material = cert ? loadMaterial({ certFile: cert }, { now, where: { cert: where } }) : undefined
  const ca = demand.ca_file ? loadTrustAnchors(demand.ca_file, { now, where }) : undefined
  const problems = [...(material?.problems ?? []), ...(ca?.problems ?? [])]
  if (problems.some(isError)) throw new ProvisionError(problems)
  const { plan, problems: doubts } = planTrust({
    address,
    // Names that Fluent Bit cannot verify are no matter here: nothing of ours on this side is that old.
    options: { trust: 'auto', allow_ip_only: true, ...(demand.ca_file && { ca_file: demand.ca_file }) },
    certificateName: demand.master_cert_name ?? '',
    material: material?.material,
    caMaterial: ca?.anchors,
    now,
    where,
  })
  if (!plan) throw new ProvisionError([...problems, ...doubts])
  const name = plan.certificateName ?? address.host
  const embedded = plan.mode === 'embed'
  return {
    address,
    trust: {
      options: dialOptions({ name, ca: embedded ? anchorsOf(plan) : undefined }),
      name,
      anchors: embedded ? (demand.ca_file ?? cert ?? '') : 'the well-known CAs',
    },
    // What is to say about `security.tls.cert` is said where agents get it.
    warnings: ca?.problems ?? [],
  }
}

/** Without `demand.url`: the master of this file, on this machine. */
function addressOf({ demand, port, security }: Wanted): MasterAddress {
  if (demand.url === undefined) return { scheme: security.tls ? 'https' : 'http', host: '127.0.0.1', port }
  const url = new URL(demand.url)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    // A port that is the scheme's own is dropped by URL.
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
  }
}

function plainHttp({ host }: MasterAddress, { file }: Wanted): Problem[] {
  if (host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return []
  const where = { file, path: 'demand.url' }
  return [problem('DETERMINED_PLAIN_HTTP', `the login goes to ${host} in plain text`, { where })]
}
