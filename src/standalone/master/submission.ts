// Parses a submitted job from JSON: returns a submission, or the fault.
import { type JobOrder, jobOrderSchema } from '../../http/index.ts'
import { parseDuration } from '../../platform/index.ts'
import { orderLimits } from '../protocol/container.ts'
import { priorities, type Submission, type Work } from './allocation.ts'

export type ReadSubmission =
  | { ok: true; submission: Submission; force: boolean }
  | { ok: false; message: string }

export interface SubmissionDefaults {
  /** For the task, when none is given. */
  newId: () => string
  hasPool: (pool: string) => boolean
  /** Default pools for jobs without and with slots. */
  auxPool: string
  computePool: string
}

/** The body of the client, not validated yet. */
type Body = { [Field in keyof JobOrder]?: unknown }

const keys = Object.keys(jobOrderSchema.shape)
/** More than any pool has, and small enough for exact sums. */
const mostSlots = 100_000
/** The orders add words and variables of their own. */
const [mostWords, mostVariables] = [orderLimits.words - 100, orderLimits.variables - 100]

/** `duration` in Go's syntax, or `command` as a list of strings; exactly one of them. */
export function readSubmission(given: Record<string, unknown>, defaults: SubmissionDefaults): ReadSubmission {
  const wrong = (message: string): ReadSubmission => ({ ok: false, message })
  const unknown = Object.keys(given).find((key) => !keys.includes(key))
  if (unknown !== undefined) return wrong(`\`${unknown.slice(0, 60)}\` is not one of ${keys.join(', ')}`)

  const body: Body = given
  const { id, slots = 1, priority = priorities.default } = body
  if (!isWhole(slots, 0, mostSlots)) return wrong(`slots must be an integer from 0 to ${mostSlots}`)
  if (!isWhole(priority, priorities.first, priorities.last))
    return wrong(`priority must be an integer from ${priorities.first} to ${priorities.last}`)
  if (id !== undefined && !(typeof id === 'string' && /^[\w.-]{1,64}$/.test(id)))
    return wrong('id must be 1 to 64 letters, digits, `_`, `-` or `.`')
  const pool = body.resourcePool ?? (slots === 0 ? defaults.auxPool : defaults.computePool)
  if (typeof pool !== 'string' || !defaults.hasPool(pool))
    return wrong(
      body.resourcePool === undefined
        ? `name a resource pool: the default pool ${show(pool)} does not exist`
        : `unknown resource pool ${show(pool)}`,
    )
  const { force = false } = body
  if (typeof force !== 'boolean') return wrong('force must be true or false')
  const work = readWork(body)
  if (typeof work === 'string') return wrong(work)
  const task = id ?? defaults.newId()
  const name = body.name ?? (work.kind === 'command' ? work.argv[0] : task)
  if (typeof name !== 'string' || name.length > 256)
    return wrong('name must be a string of at most 256 characters')
  return { ok: true, submission: { task, name, pool, slots, priority, work }, force }
}

function readWork(body: Body): Work | string {
  const { duration, command, env = {}, workingDirectory = '', image } = body
  if ((duration === undefined) === (command === undefined)) return 'set either duration or command'
  if (duration !== undefined) {
    if (image !== undefined) return 'image needs a command'
    const ms = typeof duration === 'string' ? parseDuration(duration) : undefined
    if (ms === undefined || ms < 0)
      return `duration must be a string such as "90s" or "1h30m", not ${show(duration)}`
    return { kind: 'duration', seconds: ms / 1000 }
  }
  if (!Array.isArray(command) || command.length === 0 || !command.every(isWord) || command[0] === '')
    return 'command must be a list of strings without NUL, the program first'
  if (command.length > mostWords) return `command has ${command.length} words; ${mostWords} are the most`
  if (typeof env !== 'object' || env === null || Array.isArray(env)) return 'env must be an object of strings'
  const variables = Object.entries(env)
  if (variables.length > mostVariables)
    return `env has ${variables.length} variables; ${mostVariables} are the most`
  const odd = variables.find(([name, value]) => !/^[A-Za-z_]\w*$/.test(name) || !isWord(value))
  if (odd) return `env: \`${odd[0].slice(0, 60)}\` must be a variable name with a string without NUL`
  if (!isWord(workingDirectory)) return 'workingDirectory must be a string without NUL'
  if (workingDirectory.length > orderLimits.pathLength)
    return `workingDirectory may have ${orderLimits.pathLength} characters at most`
  if (image !== undefined && !isImage(image))
    return 'image must name a container image, such as "python:3.12"'
  return {
    ...{ kind: 'command', argv: command, env: env as Record<string, string>, workingDirectory },
    ...(image !== undefined && { container: { image } }),
  }
}

/** Docker judges the rest; this keeps out what can be no image. */
function isImage(value: unknown): value is string {
  return typeof value === 'string' && /^[\w][\w.:@/+-]{0,1023}$/.test(value)
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? 'nothing'
}
