// What this machine refused, in the words every provider uses.
import type { FailureClass } from '../../planner/instance.ts'
import { type Problem, ProvisionError, problem } from '../../problems/problem.ts'

/** errno names of a machine that has no room left (errno(3)). */
const full: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's disk quota is used up",
  EAGAIN: 'no more processes are allowed',
  ENOMEM: 'there is no memory left',
  EMFILE: 'this process has too many open files',
  ENFILE: 'this machine has too many open files',
}
const forbidden: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EEXIST: 'something else lies there',
  ENOTDIR: 'a file lies where a folder belongs',
  ELOOP: 'a link lies where a file or folder belongs',
}

export interface LocalFailure {
  class: FailureClass
  problem: Problem
}

/** `doing` completes "could not …", such as `start local VM local-1a2b3c4d-1`. */
export function localFailure(error: unknown, doing: string): LocalFailure {
  if (error instanceof ProvisionError) return { class: 'config', problem: error.problems[0]! }
  const { code = '', message, path, syscall } = error as NodeJS.ErrnoException
  const text = (why: string) => `could not ${doing}: ${why}${path ? ` (${path})` : ''}`
  const options = { cause: error, details: { errno: code } }
  if (syscall?.startsWith('spawn') && code === 'ENOENT')
    return { class: 'config', problem: problem('LOCAL_NO_BASH', text('bash was not found'), options) }
  if (Object.hasOwn(full, code))
    return { class: 'capacity', problem: problem('LOCAL_MACHINE_FULL', text(full[code]!), options) }
  if (Object.hasOwn(forbidden, code))
    return { class: 'config', problem: problem('LOCAL_NOT_PERMITTED', text(forbidden[code]!), options) }
  return { class: 'transient', problem: problem('PROVIDER_TRANSIENT', text(message), options) }
}
