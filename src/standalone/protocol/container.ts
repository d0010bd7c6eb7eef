// A container in the protocol (Determined: master/pkg/cproto, master/pkg/aproto/exit.go).

// Reads values from parsed JSON like Go's decoder: a missing or null field is the zero value, an unknown field is
// ignored, and a field of the wrong type makes the whole message invalid.

/** Why a message is invalid, with the path of the member. Never thrown out of this folder. */
export class WireError extends Error {}

export type Reader<T> = (value: unknown, path: string) => T

export function fail(path: string, expected: string): never {
  throw new WireError(`${path || 'message'}: expected ${expected}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** String of at most `limit` characters; missing is ''. */
export function text(limit: number): Reader<string> {
  return (value, path) => {
    if (value === undefined || value === null) return ''
    if (typeof value !== 'string') fail(path, 'a string')
    if (value.length > limit) fail(path, `at most ${limit} characters, got ${value.length}`)
    return value
  }
}

/** An integer; missing is 0. */
export const integer: Reader<number> = (value, path) => {
  if (value === undefined || value === null) return 0
  if (!Number.isSafeInteger(value)) fail(path, 'an integer')
  return value as number
}

/** Missing is false. */
export const flag: Reader<boolean> = (value, path) => {
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') fail(path, 'true or false')
  return value
}

/** One of the given strings; missing is ''. */
export function word<T extends string>(words: readonly T[]): Reader<T> {
  return (value, path) => {
    const found = words.find((w) => w === (value ?? ''))
    if (found === undefined) fail(path, `one of ${words.map((w) => JSON.stringify(w)).join(', ')}`)
    return found
  }
}

/** A list of at most `limit` items; missing is []. */
export function list<T>(item: Reader<T>, limit: number): Reader<T[]> {
  return (value, path) => {
    if (value === undefined || value === null) return []
    if (!Array.isArray(value)) fail(path, 'a list')
    if (value.length > limit) fail(path, `at most ${limit} items, got ${value.length}`)
    return value.map((entry, i) => item(entry, `${path}[${i}]`))
  }
}

/** A pointer in Go's sense: missing is null. */
export function nullable<T>(read: Reader<T>): Reader<T | null> {
  return (value, path) => (value === undefined || value === null ? null : read(value, path))
}

/** A member that not every peer sends: missing or null is undefined. */
export function optional<T>(read: Reader<T>): Reader<T | undefined> {
  return (value, path) => (value === undefined || value === null ? undefined : read(value, path))
}

/** A map of string to string; missing is {}. */
export function labels(limit: number): Reader<Record<string, string>> {
  const one = text(limit)
  return (value, path) => {
    if (value === undefined || value === null) return {}
    if (!isObject(value)) fail(path, 'an object')
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, one(entry, `${path}.${key}`)]),
    )
  }
}

/** Any value, unchanged, for members that are not inspected here. */
export const anything: Reader<unknown> = (value) => value ?? null

/** An object with the given members. */
export function object<T extends object>(members: { [K in keyof T]: Reader<T[K]> }): Reader<T> {
  const entries = Object.entries(members) as [string, Reader<unknown>][]
  return (value, path) => {
    if (!isObject(value)) fail(path, 'an object')
    const prefix = path ? `${path}.` : ''
    return Object.fromEntries(entries.map(([key, read]) => [key, read(value[key], prefix + key)])) as T
  }
}

// One accelerator, or the CPUs, of an agent (Determined: master/pkg/device/device.go).

export const deviceTypes = ['cpu', 'cuda', 'rocm', ''] as const
/** '' is a device without a slot. */
export type DeviceType = (typeof deviceTypes)[number]

export interface Device {
  id: number
  brand: string
  uuid: string
  type: DeviceType
}

/** More accelerators than any machine has; a longer list is invalid. */
const mostDevices = 1024

export const readDevices: Reader<Device[]> = list(
  object<Device>({ id: integer, brand: text(256), uuid: text(256), type: word(deviceTypes) }),
  mostDevices,
)

function sameDevice(a: Device, b: Device): boolean {
  return a.id === b.id && a.brand === b.brand && a.uuid === b.uuid && a.type === b.type
}

/** Equal in count and in every field, in any order. */
export function sameDevices(a: Device[], b: Device[]): boolean {
  return a.length === b.length && a.every((device) => b.some((other) => sameDevice(device, other)))
}

/** In the order of a container's life; '' is unknown. */
export const containerStates = ['ASSIGNED', 'PULLING', 'STARTING', 'RUNNING', 'TERMINATED', ''] as const
export type ContainerState = (typeof containerStates)[number]

export interface Container {
  id: string
  state: ContainerState
  devices: Device[]
  /** At most 63 characters: it becomes a docker label. */
  description: string
}

/** The types are Determined's sentences, which masters and agents compare. */
export const failureTypes = {
  containerFailed: 'container failed with non-zero exit code',
  containerAborted: 'container was aborted before it started',
  containerMissing: 'request for action on unknown container',
  taskAborted: 'task was aborted before the task was started',
  taskError: 'task failed without an associated exit code',
  agentFailed: 'agent failed while the container was running',
  restoreError: 'container failed to restore after agent failure',
  agentError: 'agent failed to launch the container',
} as const

export interface ContainerFailure {
  /** One of `failureTypes`, or a string of a newer agent. */
  FailureType: string
  ErrMsg: string
  ExitCode: number | null
}

export const readContainer: Reader<Container> = object<Container>({
  id: text(256),
  state: word(containerStates),
  devices: readDevices,
  description: text(1024),
})

export const readFailure: Reader<ContainerFailure | null> = nullable(
  object<ContainerFailure>({ FailureType: text(1024), ErrMsg: text(65_536), ExitCode: nullable(integer) }),
)

/** True when `to` is known and not before `from`. */
export function isProgress(from: ContainerState, to: ContainerState): boolean {
  if (to === '') return false
  return from === '' || containerStates.indexOf(to) >= containerStates.indexOf(from)
}

// How a container is started: the part of Determined's Spec (master/pkg/cproto/spec.go) that the built-in agent reads.
// The other docker fields are absent, which Go's decoder reads as zero values.

/** One file of an archive (Determined: master/pkg/archive). `type` is a tar type flag: 48 a file, 53 a directory. */
export interface ArchiveFile {
  path: string
  type: number
  /** base64 */
  content: string
  mode: number
  /** Seconds since the epoch. */
  mtime: number
  uid: number
  gid: number
}

/** Files to put below `Path` before the command starts. */
export interface RunArchive {
  Path: string
  Archive: ArchiveFile[]
}

export interface ContainerConfig {
  /** argv. Never empty for a command. */
  Cmd: string[]
  /** `NAME=value` each. */
  Env: string[]
  /** '': the agent chooses. */
  WorkingDir: string
  Image: string
  Labels: Record<string, string>
  /** Only with an image. */
  User?: string
}

/** What only docker reads, for Determined's agents. */
export interface HostConfig {
  NetworkMode: string
  /** Bytes. */
  ShmSize: number
  Runtime?: string
  Mounts: {
    Type: string
    Source: string
    Target: string
    ReadOnly: boolean
    BindOptions: { Propagation: string }
  }[]
}

export interface ContainerSpec {
  TaskType: string
  /** Only with an image. */
  PullSpec?: { ForcePull: boolean }
  RunSpec: { ContainerConfig: ContainerConfig; HostConfig?: HostConfig; Archives: RunArchive[] }
}

export const fileType = { file: 48, directory: 53 } as const

/** Most characters of a command, a variable or a packed file; the frame limit applies, too. */
const long = text(64 * 1024 * 1024)

/**
 * A built-in agent takes no order beyond these limits: the order would end its connection, again after each reconnect. The
 * master refuses such a job when it is submitted.
 */
export const orderLimits = { words: 10_000, variables: 10_000, pathLength: 4096, files: 10_000 } as const

const readConfig = object<ContainerConfig>({
  Cmd: list(long, orderLimits.words),
  Env: list(long, orderLimits.variables),
  WorkingDir: text(orderLimits.pathLength),
  Image: text(4096),
  Labels: labels(4096),
})

const readArchive = object<RunArchive>({
  Path: text(orderLimits.pathLength),
  Archive: list(
    object<ArchiveFile>({
      path: text(orderLimits.pathLength),
      type: integer,
      content: long,
      mode: integer,
      mtime: integer,
      uid: integer,
      gid: integer,
    }),
    orderLimits.files,
  ),
})

export const readSpec: Reader<ContainerSpec> = object<ContainerSpec>({
  TaskType: text(64),
  RunSpec: object<ContainerSpec['RunSpec']>({
    ContainerConfig: readConfig,
    Archives: (value, path) => nullable(list(readArchive, 1000))(value, path) ?? [],
  }),
})
