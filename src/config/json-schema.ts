// Schemas of the configuration as JSON Schema (draft-07, which editors know best).

import * as z from 'zod/mini'
import { documentation, foreign, kinds } from './fields.ts'

export interface JsonSchema {
  [keyword: string]: unknown
  description?: string
  type?: string
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  required?: string[]
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  /** The default as a text, if it depends on other keys. Removed from the schema for editors. */
  'x-default'?: string
}

/** The same as a schema, to read the output of other libraries. */
const jsonSchema: z.ZodMiniType<JsonSchema> = z.looseObject({
  description: z.optional(z.string()),
  type: z.optional(z.string()),
  properties: z.optional(
    z.record(
      z.string(),
      z.lazy(() => jsonSchema),
    ),
  ),
  items: z.optional(z.lazy(() => jsonSchema)),
  required: z.optional(z.array(z.string())),
  anyOf: z.optional(z.array(z.lazy(() => jsonSchema))),
  oneOf: z.optional(z.array(z.lazy(() => jsonSchema))),
  'x-default': z.optional(z.string()),
})

/** The JSON Schema of an object, written by any library. Throws a TypeError if it cannot be read. */
export function writtenSchema(schema: object, whose: string): JsonSchema {
  const { data, error } = z.safeParse(jsonSchema, schema)
  if (data) return data
  const { path = [], message } = error.issues[0] ?? {}
  throw new TypeError(
    `the JSON Schema of ${whose} cannot be read at ${path.join('.') || 'its top'}: ${message}`,
  )
}

/** The JSON Schema of a zod schema: descriptions, defaults, and default texts. */
export function jsonSchemaOf(schema: z.ZodMiniType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    metadata: documentation,
    target: 'draft-07',
    override: ({ zodSchema, jsonSchema }) => {
      if ((zodSchema as unknown) === foreign)
        jsonSchema.description = 'A key of the master; the provisioner does not read it.'
      if (kinds.get(zodSchema as unknown as z.ZodMiniType)?.stringKey !== undefined) {
        const mapping = { ...jsonSchema }
        for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword]
        jsonSchema.anyOf = [mapping, { type: 'string', minLength: 1 }]
      }
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  }) as JsonSchema
}
