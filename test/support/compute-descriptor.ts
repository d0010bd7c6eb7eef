// The fields of a message in the installed Compute Engine client, and the values of its enums.
import { createRequire } from 'node:module'

interface Field {
  type: string
  rule?: 'repeated'
  keyType?: string
}

interface Message {
  fields: Record<string, Field>
  nested?: Record<string, { values?: Record<string, number> }>
}

export const descriptors = createRequire(import.meta.url)('@google-cloud/compute/build/protos/protos.json')
const messages: Record<string, Message> =
  descriptors.nested.google.nested.cloud.nested.compute.nested.v1.nested

export function fieldsOf(message: string): string[] {
  return Object.keys(messages[message]!.fields)
}

/** Paths that the client would drop silently, values of a wrong type, and unknown enum values. */
export function misfits(message: string, value: object, path = message): string[] {
  const { fields, nested } = messages[message]!
  return Object.entries(value).flatMap(([name, content]) => {
    const field = fields[name]
    const at = `${path}.${name}`
    if (!field) return [`${at} is not a field`]
    if (field.keyType)
      return Object.entries(content).flatMap(([key, one]) => misfit(field, one, `${at}.${key}`))
    if (field.rule === 'repeated')
      return Array.isArray(content)
        ? content.flatMap((one, index) => misfit(field, one, `${at}.${index}`))
        : [`${at} is not a list`]
    const allowed = nested?.[name[0]!.toUpperCase() + name.slice(1)]?.values
    if (allowed && !(content in allowed)) return [`${at} cannot be ${content}`]
    return misfit(field, content, at)
  })
}

function misfit(field: Field, value: unknown, path: string): string[] {
  if (field.type in messages)
    return typeof value === 'object' && value !== null
      ? misfits(field.type, value, path)
      : [`${path} is no object`]
  const type = /int/.test(field.type)
    ? ['number', 'string']
    : field.type === 'bool'
      ? ['boolean']
      : ['string']
  return type.includes(typeof value) ? [] : [`${path} is a ${typeof value}, not a ${field.type}`]
}

/** The type of a field: `bool`, `int32`, `int64`, `string`, a message; `[]` for a list, `{}` for a map; values of an enum. */
export type FieldType = string | string[]

/** Every field of `InstanceProperties` and its nested messages: the contents of src/providers/gcp/instance-fields.json. */
export function instanceFields(): Record<string, Record<string, FieldType>> {
  const table: Record<string, Record<string, FieldType>> = {}
  const add = (name: string) => {
    if (table[name] || !messages[name]) return
    table[name] = {}
    for (const [field, { type, rule, keyType }] of Object.entries(messages[name].fields)) {
      const message = type.split('.').at(-1)!
      const values = messages[name].nested?.[field[0]!.toUpperCase() + field.slice(1)]?.values
      const known = values && Object.keys(values).filter((value) => !value.startsWith('UNDEFINED_'))
      table[name][field] = known ?? `${message}${rule === 'repeated' ? '[]' : ''}${keyType ? '{}' : ''}`
      add(message)
    }
  }
  add('InstanceProperties')
  return table
}
