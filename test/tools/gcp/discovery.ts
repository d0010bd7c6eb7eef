// Checks requests and answers against Google's own description of an API, a discovery document
// (https://developers.google.com/discovery/v1/reference/apis).
import type { Exchange } from '../../support/fake-gce/server.ts'

export interface Discovery {
  basePath: string
  parameters: Record<string, Parameter>
  resources: Record<string, Resource>
  schemas: Record<string, Schema>
}

interface Resource {
  methods?: Record<string, Method>
  resources?: Record<string, Resource>
}

interface Method {
  id: string
  httpMethod: string
  /** Such as `projects/{project}/zones/{zone}/instances`. */
  flatPath?: string
  path: string
  parameters?: Record<string, Parameter>
  request?: { $ref: string }
  response?: { $ref: string }
}

interface Parameter extends Schema {
  location?: 'path' | 'query'
  required?: boolean
}

interface Schema {
  type?: string
  format?: string
  enum?: string[]
  pattern?: string
  minimum?: string
  maximum?: string
  $ref?: string
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: Schema
}

/** Everything that the description does not have or allow, one line each, for the request and for the answer. */
export function misfitsOf(document: Discovery, { method, url, body, status, answer }: Exchange): string[] {
  const { pathname, searchParams } = new URL(url)
  const found = methodAt(document, method, pathname)
  if (!found) return [`${method} ${pathname}: no such method`]
  const { id, parameters = {}, request, response } = found
  const about = (part: string) => (what: string) => `${id} ${part}${what}`
  const required = Object.entries(parameters).filter(([, one]) => one.location === 'query' && one.required)
  return [
    ...[...searchParams].flatMap(([name, value]) => {
      const known = parameters[name]?.location === 'query' ? parameters[name] : document.parameters[name]
      return known
        ? textMisfits(known, value, `=${value}`).map(about(`query ${name}`))
        : [`${id}: no parameter ${name}`]
    }),
    ...required.filter(([name]) => !searchParams.has(name)).map(([name]) => `${id}: ${name} is missing`),
    ...maskMisfits(document, response, searchParams.get('fields')).map(about('fields')),
    ...(body === '' || body === '""'
      ? []
      : request
        ? valueMisfits(document, request, JSON.parse(body), '').map(about('body'))
        : [`${id}: takes no body`]),
    ...(status === 200 && response
      ? valueMisfits(document, response, JSON.parse(answer), '').map(about('answer'))
      : []),
  ]
}

function methodAt({ basePath, resources }: Discovery, verb: string, pathname: string): Method | undefined {
  return methodsOf({ resources }).find(({ httpMethod, flatPath, path }) => {
    const template = `${basePath.replace(/\/?$/, '/')}${flatPath ?? path}`.replaceAll('//', '/')
    const pattern = template.replace(/[.*?^$|()]/g, '\\$&').replace(/\{\+?\w+\}/g, '[^/:]+')
    return httpMethod === verb && new RegExp(`^${pattern}$`).test(pathname)
  })
}

function methodsOf({ methods = {}, resources = {} }: Resource): Method[] {
  return [...Object.values(methods), ...Object.values(resources).flatMap(methodsOf)]
}

/** For parameters: in a URL everything is a string. */
function textMisfits(schema: Parameter, text: string, path: string): string[] {
  if (schema.type === 'boolean') return ['true', 'false'].includes(text) ? [] : [`${path} is no boolean`]
  if (schema.type === 'integer') {
    const number = Number(text)
    const inside =
      number >= Number(schema.minimum ?? -(2 ** 31)) && number <= Number(schema.maximum ?? 2 ** 32)
    return Number.isInteger(number) && inside ? [] : [`${path} is no such integer`]
  }
  return stringMisfits(schema, text, path)
}

function stringMisfits({ enum: values, pattern, format }: Schema, text: string, path: string): string[] {
  if (values && !values.includes(text)) return [`${path} is none of ${values.join(', ')}`]
  if (pattern && !new RegExp(`^(?:${pattern})$`).test(text)) return [`${path} does not match ${pattern}`]
  if (/int64/.test(format ?? '') && !/^-?\d+$/.test(text)) return [`${path} is no ${format}`]
  return []
}

function valueMisfits(document: Discovery, schema: Schema, value: unknown, path: string): string[] {
  const { $ref, type, items, properties = {}, additionalProperties, format } = schema
  if ($ref) return valueMisfits(document, document.schemas[$ref]!, value, path)
  if (type === 'any') return []
  if (type === 'array')
    return Array.isArray(value)
      ? value.flatMap((one, index) => valueMisfits(document, items ?? {}, one, `${path}.${index}`))
      : [`${path} is no list`]
  if (type === 'object') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no object`]
    return Object.entries(value).flatMap(([name, content]) => {
      const field = properties[name] ?? additionalProperties
      return field ? valueMisfits(document, field, content, `${path}.${name}`) : [`${path}: no field ${name}`]
    })
  }
  if (type === 'string') {
    // JSON form of a 64-bit integer: a string, and in a request also a number.
    const text = /int64/.test(format ?? '') && typeof value === 'number' ? String(value) : value
    return typeof text === 'string' ? stringMisfits(schema, text, path) : [`${path} is no string`]
  }
  if (type === 'integer') return Number.isInteger(value) ? [] : [`${path} is no integer`]
  return typeof value === type ? [] : [`${path} is no ${type}`]
}

/** https://cloud.google.com/compute/docs/api/how-tos/performance#partial-response */
function maskMisfits(document: Discovery, schema: Schema | undefined, mask: string | null): string[] {
  if (mask === null) return []
  return split(mask).flatMap((part) => {
    const [, name = '', below, inside] = /^([^/(]+)(?:\/(.*)|\((.*)\))?$/.exec(part) ?? []
    const { properties = {}, additionalProperties } = resolved(document, schema)
    const field = name === '*' ? additionalProperties : (properties[name] ?? additionalProperties)
    if (!field) return [`: no field ${name} in ${part}`]
    return maskMisfits(document, field, below ?? inside ?? null)
  })
}

function resolved(document: Discovery, schema: Schema = {}): Schema {
  if (schema.$ref) return resolved(document, document.schemas[schema.$ref])
  return schema.type === 'array' ? resolved(document, schema.items) : schema
}

/** At commas outside of parentheses. */
function split(text: string): string[] {
  const parts = ['']
  let depth = 0
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts
}
