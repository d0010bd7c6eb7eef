// What the installed Compute Engine client knows of a message: its fields, and the values of its enums.
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

const descriptors = createRequire(import.meta.url)('@google-cloud/compute/build/protos/protos.json')
const messages: Record<string, Message> =
  descriptors.nested.google.nested.cloud.nested.compute.nested.v1.nested

export function fieldsOf(message: string): string[] {
  return Object.keys(messages[message]!.fields)
}

/** Paths that the client would drop without a word, types it would not take, values no enum of its has. */
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
