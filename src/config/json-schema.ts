// The JSON Schema of master.yaml, for editors (draft-07, which they know best) and for the reference.
import * as z from 'zod/mini'
import { documentation, foreign } from './fields.ts'
import { masterFile } from './schema.ts'

export interface JsonSchema {
  [keyword: string]: unknown
  description?: string
  type?: string
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  required?: string[]
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  /** The default in words, where it depends on other keys. Not in what editors get. */
  'x-default'?: string
}

/** As zod sees it: descriptions, defaults, and defaults in words. */
export function rawSchema(): JsonSchema {
  return z.toJSONSchema(masterFile, {
    io: 'input',
    metadata: documentation,
    target: 'draft-07',
    override: ({ zodSchema, jsonSchema }) => {
      if ((zodSchema as unknown) === foreign)
        jsonSchema.description = 'A key of the master; not read by the provisioner.'
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  }) as JsonSchema
}

/** What `provision schema` prints. */
export function configSchema(): JsonSchema {
  const schema = withoutWords(rawSchema())
  const provisioner = schema.properties?.['provisioner']
  if (provisioner) provisioner.oneOf = provisioner.oneOf?.map(oldForm)
  return {
    ...schema,
    title: 'master.yaml',
    description: 'Configuration of a master and of the provisioner of its agents.',
    not: {
      anyOf: ['provisioner', 'scheduler'].flatMap((old) =>
        ['resource_manager', 'resource_pools'].map((key) => ({ required: [old, key] })),
      ),
    },
  }
}

/** Before it was called `type`, the type of a provider was called `provider`. */
function oldForm(provider: JsonSchema): JsonSchema {
  const { type, ...properties } = provider.properties ?? {}
  return {
    ...provider,
    properties: { ...(type && { type, provider: type }), ...properties },
    required: [],
    anyOf: [{ required: ['provider'] }, { required: ['type'] }],
  }
}

/** Moves each default in words into the description, where editors show it. */
function withoutWords(value: JsonSchema): JsonSchema {
  const { 'x-default': words, ...schema } = mapValues(value, (inner) =>
    isObject(inner) ? withoutWords(inner) : Array.isArray(inner) ? inner.map(inList) : inner,
  ) as JsonSchema
  if (words !== undefined) schema.description = `${schema.description} Default: ${words}.`
  return schema
}

function inList(item: unknown): unknown {
  return isObject(item) ? withoutWords(item) : item
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapValues(object: object, change: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))
}
