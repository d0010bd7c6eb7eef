// How a container is started: the part of the origin's Spec (master/pkg/cproto/spec.go) that our own agents read.
// The rest of docker's vocabulary is absent, which Go's decoder takes for its zero values.
import { integer, labels, list, nullable, object, type Reader, text } from './read.ts'

/** One file of an archive (origin: master/pkg/archive). `type` is a tar type flag: 48 a file, 53 a directory. */
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
  /** '' is the agent's choice. */
  WorkingDir: string
  Image: string
  Labels: Record<string, string>
}

export interface ContainerSpec {
  TaskType: string
  RunSpec: { ContainerConfig: ContainerConfig; Archives: RunArchive[] }
}

export const fileType = { file: 48, directory: 53 } as const

/** Characters of a command, a variable or a packed file: the frame's own limit is the outer bound. */
const long = text(64 * 1024 * 1024)

const readConfig = object<ContainerConfig>({
  Cmd: list(long, 10_000),
  Env: list(long, 10_000),
  WorkingDir: text(4096),
  Image: text(4096),
  Labels: labels(4096),
})

const readArchive = object<RunArchive>({
  Path: text(4096),
  Archive: list(
    object<ArchiveFile>({
      path: text(4096),
      type: integer,
      content: long,
      mode: integer,
      mtime: integer,
      uid: integer,
      gid: integer,
    }),
    10_000,
  ),
})

export const readSpec: Reader<ContainerSpec> = object<ContainerSpec>({
  TaskType: text(64),
  RunSpec: object<ContainerSpec['RunSpec']>({
    ContainerConfig: readConfig,
    Archives: (value, path) => nullable(list(readArchive, 1000))(value, path) ?? [],
  }),
})
