// What zod found wrong with one value, in the words of the configuration.
import type * as z from 'zod/mini'
import { nearest } from '../platform/nearest.ts'
import type { ProblemCode } from '../problems/codes.ts'
import { kinds } from './fields.ts'
import { shown } from './mask.ts'
import { nameOf } from './reading.ts'
import type { YamlPath } from './yaml.ts'

interface Told {
  code: ProblemCode
  message: string
  remedy?: string
}

/** A value and the schema it does not fit; `issue` is the first thing zod said about it. */
export function tell(schema: z.ZodMiniType, issue: z.core.$ZodIssue, value: unknown, path: YamlPath): Told {
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

/** `the number 20`, `"20"`: a number and the text of it look alike, so the type is said. */
export function described(value: unknown, key?: string | number): string {
  const text = shown(value, key)
  return typeof value === 'number' ? `the number ${text}` : text
}

export function orList(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`)
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
}
