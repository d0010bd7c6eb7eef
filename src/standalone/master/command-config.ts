// The body with which Determined's clients launch a command (Determined: master/pkg/model/command_config.go). What this master
// cannot do is refused by name, never left out.

import { type ArchiveFile, fileType } from '../protocol/container.ts'
import type { BindMount, ContainerOrder } from './allocation.ts'

/** A body for `readSubmission`, and what that has no words for. */
export interface CommandLaunch {
  given: Record<string, unknown>
  files: ArchiveFile[]
  container?: ContainerOrder
}

type Given = Record<string, unknown>

/** The fault, as a message for the user. */
class Wrong extends Error {}

/** @param body of POST /api/v1/commands. Returns what is wrong with it as a sentence. */
export function readCommandLaunch(body: Given): CommandLaunch | string {
  try {
    return launchOf(body)
  } catch (error) {
    if (error instanceof Wrong) return error.message
    throw error
  }
}

const bodyKeys = ['config', 'files', 'workspaceId', 'workspace_id']
const configKeys = [
  ...['description', 'entrypoint', 'resources', 'environment', 'bind_mounts', 'work_dir', 'debug'],
]
const resourceKeys = ['slots', 'resource_pool', 'priority', 'shm_size']
const environmentKeys = ['image', 'environment_variables', 'force_pull_image']
const mountKeys = ['host_path', 'container_path', 'read_only', 'propagation']

function launchOf(body: Given): CommandLaunch {
  known(body, bodyKeys, '')
  const config = section(body['config'], 'config')
  known(config, configKeys, 'config.')
  const resources = section(config['resources'], 'config.resources')
  known(resources, resourceKeys, 'config.resources.')
  const environment = section(config['environment'], 'config.environment')
  known(environment, environmentKeys, 'config.environment.')
  const files = filesOf(body['files'])
  const workingDirectory = config['work_dir'] ?? undefined
  if (files.length > 0 && workingDirectory !== undefined)
    throw new Wrong('config.work_dir cannot be combined with files: the command runs where the files are')
  return {
    files,
    container: containerOf(config, resources, environment),
    given: {
      name: config['description'] || nameOf(config['entrypoint']),
      slots: resources['slots'] ?? undefined,
      resourcePool: resources['resource_pool'] || undefined,
      priority: resources['priority'] ?? undefined,
      command: argvOf(config['entrypoint']),
      env: variablesOf(environment['environment_variables']),
      workingDirectory,
    },
  }
}

/** One string is a command line for the shell, as in Determined (master/internal/api_command.go). */
function argvOf(entrypoint: unknown): unknown {
  if (entrypoint === undefined || entrypoint === null) throw new Wrong('config.entrypoint is missing')
  const words = typeof entrypoint === 'string' ? [entrypoint] : entrypoint
  return Array.isArray(words) && words.length === 1 ? ['/bin/sh', '-c', ...words] : words
}

/** Of a command line, which is no good name as `/bin/sh`. */
function nameOf(entrypoint: unknown): string | undefined {
  const [line, ...more] = Array.isArray(entrypoint) ? entrypoint : [entrypoint]
  if (typeof line !== 'string' || more.length > 0) return undefined
  const words = line.replace(/\s+/g, ' ').trim()
  return words.length > 60 ? `${words.slice(0, 59)}…` : words || undefined
}

function variablesOf(given: unknown): Record<string, string> {
  if (given === undefined || given === null) return {}
  if (!Array.isArray(given))
    throw new Wrong('config.environment.environment_variables must be a list of NAME=value')
  const pairs = given.map((entry): [string, string] => {
    const at = typeof entry === 'string' ? entry.indexOf('=') : -1
    if (at < 1) throw new Wrong('config.environment.environment_variables must be a list of NAME=value')
    return [entry.slice(0, at), entry.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}

function containerOf(config: Given, resources: Given, environment: Given): ContainerOrder | undefined {
  const image = environment['image'] ?? undefined
  const shmSize = resources['shm_size'] ?? undefined
  const forcePull = environment['force_pull_image'] ?? undefined
  const mounts = mountsOf(config['bind_mounts'])
  if (image === undefined) {
    const odd = [
      [shmSize, 'resources.shm_size'],
      [forcePull || undefined, 'environment.force_pull_image'],
      [mounts[0], 'bind_mounts'],
    ].find(([value]) => value !== undefined)
    if (odd) throw new Wrong(`config.${odd[1]} needs a container: set config.environment.image, too`)
    return undefined
  }
  if (typeof image !== 'string') throw new Wrong('config.environment.image must be one image, as a string')
  if (forcePull !== undefined && typeof forcePull !== 'boolean')
    throw new Wrong('config.environment.force_pull_image must be true or false')
  if (shmSize !== undefined && !(Number.isSafeInteger(shmSize) && (shmSize as number) > 0))
    throw new Wrong('config.resources.shm_size must be a number of bytes')
  return {
    image,
    ...(forcePull && { forcePull }),
    ...(shmSize !== undefined && { shmSize: shmSize as number }),
    ...(mounts.length > 0 && { mounts }),
  }
}

function mountsOf(given: unknown): BindMount[] {
  return list(given, 'config.bind_mounts').map((entry, i) => {
    const where = `config.bind_mounts[${i}]`
    const mount = section(entry, where)
    known(mount, mountKeys, `${where}.`)
    const { host_path: source, container_path: target, read_only: readOnly, propagation } = mount
    if (!isAbsolute(source) || !isAbsolute(target))
      throw new Wrong(`${where}: host_path and container_path must be absolute paths`)
    if (typeof (propagation ?? '') !== 'string') throw new Wrong(`${where}.propagation must be a string`)
    return {
      ...{ source, target },
      ...(readOnly === true && { readOnly }),
      ...(propagation ? { propagation: propagation as string } : {}),
    }
  })
}

/** Most files of a command; their size is limited with the body. */
const mostFiles = 5000

/** Their owner is who runs the command, whatever the client says. */
function filesOf(given: unknown): ArchiveFile[] {
  const files = list(given, 'files')
  if (files.length > mostFiles)
    throw new Wrong(`files has ${files.length} entries; ${mostFiles} are the most`)
  return files.map((entry, i): ArchiveFile => {
    const { path, type, content, mode, mtime } = section(entry, `files[${i}]`)
    if (typeof path !== 'string' || !isInside(path))
      throw new Wrong(`files[${i}].path must be a relative path without \`..\``)
    if (type !== fileType.file && type !== fileType.directory)
      throw new Wrong(`files[${i}] (${path.slice(0, 60)}) must be a file or a folder`)
    const bytes = content ?? ''
    if (!isBase64(bytes)) throw new Wrong(`files[${i}].content (${path.slice(0, 60)}) must be base64`)
    // Clients send it as a string. Agents end the connection at an order with anything but an integer.
    const seconds = Math.trunc(Number(mtime ?? 0))
    if (!Number.isSafeInteger(seconds))
      throw new Wrong(`files[${i}].mtime (${path.slice(0, 60)}) must be whole seconds since 1970`)
    return {
      ...{ path, type, content: type === fileType.file ? bytes : '' },
      ...{ mode: Number(mode) & 0o777 || 0o644, mtime: seconds, uid: 0, gid: 0 },
    }
  })
}

/** With its padding, as Go's decoder requires it. */
function isBase64(text: unknown): text is string {
  return typeof text === 'string' && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

function isInside(path: string): boolean {
  return path !== '' && path.length <= 4096 && !/^\/|\0|(?:^|\/)\.\.(?:\/|$)/.test(path)
}

function isAbsolute(path: unknown): path is string {
  return typeof path === 'string' && path.startsWith('/') && !path.includes('\0')
}

function list(given: unknown, where: string): unknown[] {
  if (given === undefined || given === null) return []
  if (!Array.isArray(given)) throw new Wrong(`${where} must be a list`)
  return given
}

function section(given: unknown, where: string): Given {
  if (given === undefined || given === null) return {}
  if (typeof given !== 'object' || Array.isArray(given)) throw new Wrong(`${where} must be an object`)
  return given as Given
}

/** A key that is null or empty is not set. */
function known(given: Given, keys: string[], where: string): void {
  const isSet = ([, value]: [string, unknown]) => value !== null && value !== '' && value !== false
  const odd = Object.entries(given).find((entry) => isSet(entry) && !keys.includes(entry[0]))
  if (odd)
    throw new Wrong(`${where}${odd[0].slice(0, 60)} is not supported here; supported: ${keys.join(', ')}`)
}
