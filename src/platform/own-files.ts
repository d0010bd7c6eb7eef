// Files that no other user may control: their type and their owner are checked before they are used.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { ProvisionError, problem } from '../problems/index.ts'

/** Does not follow links, and does not block on a FIFO. */
const safeFlags = constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Opens a regular file; the caller closes it. Throws an errno error, or one that names the type of the path: a link,
 * a folder, a FIFO or a device is never opened.
 */
export function openPlainFile(file: string, flags: number, mode = 0o600): number {
  const handle = openedBy(() => openSync(file, flags | safeFlags, mode))
  const stats = fstatSync(handle)
  if (stats.isFile()) return handle
  closeSync(handle)
  throw new Error(`it is ${kindOf(stats)}, not a regular file`)
}

function openedBy(open: () => number): number {
  try {
    return open()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error
    throw new Error('it is a symbolic link, not a regular file', { cause: error })
  }
}

/** The text of a regular file; undefined when it does not exist. Throws as `openPlainFile` does. */
export function readPlainFile(file: string): string | undefined {
  let handle: number
  try {
    handle = openPlainFile(file, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return readFileSync(handle, 'utf8')
  } finally {
    closeSync(handle)
  }
}

/** A new name is on the disk only once its folder is synced. */
export function syncFolderOf(file: string): void {
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link'
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  return stats.isFile() ? 'a regular file' : 'a device'
}

// The owner of the files.

/** Ids of users whose files are trusted; undefined where the system has no such ids. */
export type TrustedUsers = ReadonlySet<number> | undefined

/** The user of this process, root, and for root under sudo the user who called it. */
export function trustedUsers(env: Readonly<Record<string, string | undefined>>): TrustedUsers {
  const user = process.geteuid?.()
  if (user === undefined) return undefined
  const caller = user === 0 && /^\d+$/.test(env['SUDO_UID'] ?? '') ? [Number(env['SUDO_UID'])] : []
  return new Set([user, 0, ...caller])
}

/**
 * Checks that a folder, or a link of the user to one, is not writable by others, as ssh does for `~/.ssh`, and contains only
 * files, folders and sockets of the user. Checks the entries, and those in the named subfolders. Throws a ProvisionError (STATE_DIR_UNSAFE)
 * or an errno error.
 */
export function assertOwnFolder(folder: string, users: TrustedUsers, inside: readonly string[] = []): void {
  if (users === undefined) return
  assertOwner(folder, lstatSync(folder), users)
  const stats = statSync(folder)
  if (!stats.isDirectory()) throw unsafe(folder, `is ${kindOf(stats)}, not a folder`, `rm ${folder}`)
  assertOwner(folder, stats, users)
  if (stats.mode & 0o022)
    throw unsafe(
      folder,
      `can be written by other users (mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')})`,
      `chmod go-w ${folder}, or name a folder inside it`,
    )
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const entry = lstatSync(path, { throwIfNoEntry: false })
    if (!entry) continue
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && leadsToFolder(path))
    if (isFolder && inside.includes(name)) assertOwnFolder(path, users)
    else assertOwner(path, entry, users)
    if (!isFolder && !entry.isFile() && !entry.isSocket())
      throw unsafe(path, `is ${kindOf(entry)}, not a regular file`, `rm ${path}`)
  }
}

function leadsToFolder(link: string): boolean {
  return statSync(link, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function assertOwner(path: string, { uid }: Stats, users: ReadonlySet<number>): void {
  if (users.has(uid)) return
  const thisUser = process.geteuid?.()
  throw unsafe(
    path,
    `belongs to user ${uid}, but this process runs as user ${thisUser}`,
    `chown -R ${thisUser} ${path} if you trust its contents, or set state_dir to another folder`,
  )
}

function unsafe(path: string, what: string, remedy: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_DIR_UNSAFE', `${path} ${what}`, { remedy: `${remedy}.`, details: { path } }),
  )
}
