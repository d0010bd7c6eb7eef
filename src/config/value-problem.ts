// The problem of one value, from zod's issue.
import type * as z from 'zod/mini'
import { nearest } from '../platform/index.ts'
import type { ProblemCode } from '../problems/index.ts'
import { kinds } from './fields.ts'
import { shown } from './report.ts'
import type { YamlPath } from './yaml.ts'

interface Told {
  code: ProblemCode
  message: string
  remedy?: string
}

/** The problem of a value that does not match its schema; `issue` is zod's first issue. */
export function issueProblem(
  schema: z.ZodMiniType,
  issue: z.core.$ZodIssue,
  value: unknown,
  path: YamlPath,
): Told {
  const kind = kinds.get(schema)
  const last = path.at(-1)
  const message = `${nameOf(path)} must be ${kind?.noun ?? 'something else'}, but is ${described(value, last)}`
  const remedy = kind?.remedy
  const told = (code: ProblemCode): Told => ({ code, message, ...(remedy && { remedy }) })
  switch (issue.code) {
    case 'invalid_value': {
      const words = issue.values.map(String)
      const meant = typeof value === 'string' ? nearest(value, words) : undefined
      return {
        ...told('CONFIG_BAD_CHOICE'),
        remedy: meant ? `Did you mean "${meant}"?` : `Write ${orList(words)}.`,
      }
    }
    case 'too_small':
    case 'too_big':
      return told(typeof value === 'string' ? 'CONFIG_BAD_VALUE' : 'CONFIG_OUT_OF_RANGE')
    case 'invalid_type':
      return told(kind?.code === 'CONFIG_BAD_DURATION' ? 'CONFIG_BAD_DURATION' : 'CONFIG_WRONG_TYPE')
    default:
      return told(kind?.code ?? 'CONFIG_BAD_VALUE')
  }
}

/** `the number 20`, `"20"`: the type is shown, because a number and a string look alike. */
export function described(value: unknown, key?: string | number): string {
  const text = shown(value, key)
  return typeof value === 'number' ? `the number ${text}` : text
}

export function orList(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`)
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}

/** `tls.trust`, `custom_tags[1].key`: the path relative to its block. */
export function nameOf(path: YamlPath): string {
  const start = path.findLastIndex((part) => part === 'provider' || part === 'provisioner') + 1
  const own = start > 0 && start < path.length ? path.slice(start) : afterPool(path)
  return own
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index ? `.${part}` : part))
    .join('')
}

function afterPool(path: YamlPath): YamlPath {
  return path[0] === 'resource_pools' && path.length > 2 ? path.slice(2) : path
}
