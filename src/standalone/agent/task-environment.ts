// The environment of a task: variables of the machine, of the master and of the agent (Determined:
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
  /** The agent's environment; only a few variables are passed to a task. */
  env: Readonly<Record<string, string | undefined>>
  master: Pick<MasterInfo, 'cluster_id' | 'master_id'>
  container: Container
  /** `NAME=value` from the start order. */
  given: readonly string[]
  /** The real location of the order's files. */
  files: Map<string, string>
  /** Creates the file with all trusted certificates, including the master's. */
  bundle: (masterCertificate: string) => string
}

/** With the last two the provisioner finds the tasks of a local VM to terminate them. */
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

/** Node, curl and Python then verify the master without configuration. Variables of the order take precedence. */
function trusted(certificate: string | undefined, { bundle, env }: TaskEnvironmentInput): Environment {
  const own = env['SSL_CERT_FILE']
  // The trust anchors of the agent; NODE_EXTRA_CA_CERTS too, because Node ignores SSL_CERT_FILE by default.
  if (!certificate) return own ? { NODE_EXTRA_CA_CERTS: own, SSL_CERT_FILE: own } : {}
  return { NODE_EXTRA_CA_CERTS: certificate, SSL_CERT_FILE: bundle(certificate) }
}

/** Limits a process to its GPUs; a container would have only these devices. */
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

// One file with all CAs a task trusts: those of the machine and the master's. OpenSSL's SSL_CERT_FILE replaces the
// machine's list instead of extending it, so without this file a task could connect to its master only.

/** Writes the file once for each master certificate; returns its path. */
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

// The files of a container, placed below the task's folder instead of the machine's root.

/** Maps each archive path to its real location. Throws the errno error of the file that could not be written. */
export function placeFiles(archives: RunArchive[], root: string): Map<string, string> {
  const placed = new Map<string, string>()
  for (const { Path, Archive } of archives)
    for (const { path, type, content, mode } of Archive) {
      // With a leading slash `..` stops at the root, so no path can leave the folder.
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

// The agent's work folder. Created for the first task; only the agent's user can read it.

export interface WorkFolder {
  readonly path: string
  /** Ids of tasks from before a restart of the agent. */
  ids(): string[]
  /** Throws `AGENT_WORK_FOLDER` for an id that is not a valid folder name. */
  task(id: string): string
  make(id: string): string
  remove(id: string): void
}

/** Container ids are UUIDs; any other id must not become a path. */
const safeId = /^[A-Za-z0-9][\w.-]{0,127}$/

/** For agents of local VMs inside the VM's root; each agent of a machine has its own folder. */
export function workFolder(agentId: string, env: Readonly<Record<string, string | undefined>>): WorkFolder {
  const own = createHash('sha256').update(agentId).digest('hex').slice(0, 12)
  const root = env['PROVISION_ROOT']
  const path = root
    ? join(root, 'var/lib/determined-agent', own)
    : join(tmpdir(), `determined-agent-${process.getuid?.() ?? 0}-${own}`)

  function task(id: string): string {
    if (!safeId.test(id)) throw unusable(`${JSON.stringify(id.slice(0, 80))} is not a valid folder name`)
    return join(path, id)
  }

  return {
    path,
    task,
    ids: () => (existsSync(path) && isOwned(path) ? readdirSync(path).filter((id) => safeId.test(id)) : []),
    make(id) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      // The temporary folder is shared: another user may have created this path.
      if (!isOwned(path)) throw unusable(`${path} is not a folder owned by this agent's user`)
      mkdirSync(task(id), { mode: 0o700 })
      return task(id)
    },
    remove: (id) => rmSync(task(id), { recursive: true, force: true }),
  }
}

function isOwned(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isDirectory() && stat.uid === (process.getuid?.() ?? stat.uid)
}

function unusable(message: string): ProvisionError {
  return new ProvisionError(problem('AGENT_WORK_FOLDER', message))
}
