// Schemas of the configuration as JSON Schema (draft-07, which editors know best).

import * as z from 'zod/mini'
import { documentation, foreign } from './fields.ts'

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
export function jsonSchemaOf(schema: z.ZodMiniType): JsonSchema {
  return z.toJSONSchema(schema, {
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
