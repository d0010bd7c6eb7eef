// What a task finds in its environment: the machine's, the master's, and what only its agent knows (facts of the origin:
// agent/internal/containers/spec.go).

import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import * as tls from 'node:tls'
import { type MasterAddress, masterUrl } from '../../pki/index.ts'
import { writeFileAtomic } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Container, type Device, fileType, type RunArchive } from '../protocol/container.ts'
import type { MasterInfo } from '../protocol/messages.ts'
import type { AgentOptions } from './options.ts'
import { wellKnownCas } from './well-known-cas.ts'

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
    ...trusted(environment['DET_MASTER_CERT_FILE'], input),
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
function trusted(certificate: string | undefined, { bundle, env }: TaskEnvironmentInput): Environment {
  const own = env['SSL_CERT_FILE']
  // What the agent verifies its master with; NODE_EXTRA_CA_CERTS, because Node goes by the other one only when told to.
  if (!certificate) return own ? { NODE_EXTRA_CA_CERTS: own, SSL_CERT_FILE: own } : {}
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

// One file of everything a task may trust: the CAs of the machine, and its master's. OpenSSL's SSL_CERT_FILE replaces
// the machine's list instead of adding to it, so without this a task could reach its master and nobody else.

/** Writes it once for each master certificate; tells where it is. */
export function caBundle(
  masterCertificate: string,
  folder: string,
  env: TaskEnvironmentInput['env'],
): string {
  const own = readFileSync(masterCertificate, 'utf8')
  const name = createHash('sha256').update(own).digest('hex').slice(0, 16)
  const file = join(folder, `.ca-bundle-${name}.crt`)
  if (existsSync(file)) return file
  const others = wellKnownCas(env) ?? tls.rootCertificates
  writeFileAtomic(file, [own.trim(), ...others.map((pem) => pem.trim()), ''].join('\n'), 0o644)
  return file
}

// The files a container brings along, put below the task's own folder instead of the machine's root.

/** Where each path of the archives really is. Throws the errno error of the file that could not be written. */
export function placeFiles(archives: RunArchive[], root: string): Map<string, string> {
  const placed = new Map<string, string>()
  for (const { Path, Archive } of archives)
    for (const { path, type, content, mode } of Archive) {
      // A leading slash makes `..` end at the root, so nothing leads out of it.
      const inside = normalize(join('/', Path, path))
      const real = join(root, inside)
      if (type === fileType.directory) mkdirSync(real, { recursive: true })
      else if (type === fileType.file) {
        mkdirSync(dirname(real), { recursive: true })
        writeFileSync(real, Buffer.from(content, 'base64'))
        chmodSync(real, mode & 0o777)
      } else continue
      placed.set(inside, real)
    }
  return placed
}

// Where an agent keeps its tasks. Made when the first task comes; only the agent's user may look into it.

export interface WorkFolder {
  readonly path: string
  /** Ids of tasks from before a restart of the agent. */
  ids(): string[]
  /** Throws `AGENT_WORK_FOLDER` for an id that is no name of a folder. */
  task(id: string): string
  make(id: string): string
  remove(id: string): void
}

/** Container ids are UUIDs; whatever else comes must not lead anywhere. */
const safeId = /^[A-Za-z0-9][\w.-]{0,127}$/

/** Below the VM's own root for local agents; each agent of a machine has a folder of its own. */
export function workFolder(agentId: string, env: Readonly<Record<string, string | undefined>>): WorkFolder {
  const own = createHash('sha256').update(agentId).digest('hex').slice(0, 12)
  const root = env['PROVISION_ROOT']
  const path = root
    ? join(root, 'var/lib/determined-agent', own)
    : join(tmpdir(), `determined-agent-${process.getuid?.() ?? 0}-${own}`)

  function task(id: string): string {
    if (!safeId.test(id)) throw unusable(`${JSON.stringify(id.slice(0, 80))} cannot be the name of a folder`)
    return join(path, id)
  }

  return {
    path,
    task,
    ids: () => (existsSync(path) && isOurs(path) ? readdirSync(path).filter((id) => safeId.test(id)) : []),
    make(id) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      // The folder for temporary files is everybody's: another user may have been there first.
      if (!isOurs(path)) throw unusable(`${path} is not a folder of this agent's user`)
      mkdirSync(task(id), { mode: 0o700 })
      return task(id)
    },
    remove: (id) => rmSync(task(id), { recursive: true, force: true }),
  }
}

function isOurs(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isDirectory() && stat.uid === (process.getuid?.() ?? stat.uid)
}

function unusable(message: string): ProvisionError {
  return new ProvisionError(problem('AGENT_WORK_FOLDER', message))
}
