// What a task finds in its environment: the machine's, the master's, and what only its agent knows (facts of the origin:
// agent/internal/containers/spec.go).
import { type MasterAddress, masterUrl } from '../../pki/master-address.ts'
import type { MasterInfo } from '../protocol/agent-message.ts'
import type { Container } from '../protocol/container.ts'
import type { Device } from '../protocol/device.ts'
import type { AgentOptions } from './options.ts'

export type Environment = Record<string, string>

export interface TaskEnvironmentInput {
  options: AgentOptions
  /** The agent's own; little of it reaches a task. */
  env: Readonly<Record<string, string | undefined>>
  master: Pick<MasterInfo, 'cluster_id' | 'master_id'>
  container: Container
  /** `NAME=value` of the order. */
  given: readonly string[]
  /** Where the paths of the order's files really are. */
  files: Map<string, string>
  /** Makes the file of all trusted certificates from the master's. */
  bundle: (masterCertificate: string) => string
}

/** The last two let whoever ends a local VM find its tasks. */
const ofTheMachine = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'PROVISION_ROOT',
  'PROVISION_INSTANCE_ID',
]

export function taskEnvironment(input: TaskEnvironmentInput): Environment {
  const { container, env, files, given, master, options } = input
  const machine = ofTheMachine.flatMap((name) =>
    env[name] === undefined ? [] : [[name, env[name]] as const],
  )
  const ordered = given.map((entry): [string, string] => {
    const at = entry.indexOf('=')
    const value = entry.slice(at + 1)
    return [entry.slice(0, at), files.get(value) ?? value]
  })
  const environment = Object.fromEntries([...machine, ...proxies(options), ...ordered])
  return {
    ...trusted(environment['DET_MASTER_CERT_FILE'], input.bundle),
    ...visible(container.devices),
    ...environment,
    ...agentOwn(options, master, container),
  }
}

function agentOwn(
  options: AgentOptions,
  master: TaskEnvironmentInput['master'],
  container: Container,
): Environment {
  const { containerMasterHost: host, containerMasterPort: port, tls } = options
  const address: MasterAddress = { scheme: tls.enabled ? 'https' : 'http', host, port }
  return {
    DET_MASTER: masterUrl(address),
    DET_MASTER_HOST: host,
    DET_MASTER_ADDR: host,
    DET_MASTER_PORT: String(port),
    DET_CLUSTER_ID: master.cluster_id,
    DET_MASTER_ID: master.master_id,
    DET_AGENT_ID: options.agentId,
    DET_CONTAINER_ID: container.id,
    DET_SLOT_IDS: JSON.stringify(container.devices.map((device) => device.id)),
    ...(tls.masterCertName && { DET_MASTER_CERT_NAME: tls.masterCertName }),
  }
}

/** Node, curl and Python then verify the master with nothing configured. What the order says itself wins. */
function trusted(certificate: string | undefined, bundle: TaskEnvironmentInput['bundle']): Environment {
  if (!certificate) return {}
  return { NODE_EXTRA_CA_CERTS: certificate, SSL_CERT_FILE: bundle(certificate) }
}

/** A container would see only its own GPUs; a process must be told. */
function visible(devices: Device[]): Environment {
  const uuids = (type: Device['type']) =>
    devices.filter((device) => device.type === type).map((device) => device.uuid)
  return { CUDA_VISIBLE_DEVICES: uuids('cuda').join(','), ROCR_VISIBLE_DEVICES: uuids('rocm').join(',') }
}

function proxies({ proxies: { http, https, ftp, no } }: AgentOptions): [string, string][] {
  const all = { HTTP_PROXY: http, HTTPS_PROXY: https, FTP_PROXY: ftp, NO_PROXY: no }
  return Object.entries(all)
    .filter(([, value]) => value !== '')
    .flatMap(([name, value]) => [
      [name, value],
      [name.toLowerCase(), value],
    ])
}
