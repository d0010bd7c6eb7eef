// Provider blocks whose own keys are described by a Standard Schema (https://standardschema.dev) of any library.

import * as z from 'zod/mini'
import { needed } from './fields.ts'
import { jsonSchemaOf, writtenSchema } from './json-schema.ts'
import { type ProviderBlock, type ProviderWords, wordsOf } from './provider.ts'
import { type CommonProviderConfig, commonKeys, commonRules } from './provider-keys.ts'
import { type Block, errorCount, given, note, readBlock, wholeOf } from './read-block.ts'
import { nameOf } from './value-problem.ts'

/** The part of a Standard Schema, version 1, that is used here. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
  }
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export interface StandardWords<Own extends object> extends ProviderWords {
  /** Of `type`, for editors and the reference. */
  description: string
  /**
   * The schema of its own keys. It gets those of the file, without `type` and the keys of every provider, and must be
   * synchronous.
   */
  schema: StandardSchema<Own>
  /** The same for editors, as JSON Schema of an object: its `properties` are the allowed keys. */
  keys: object
}

/** A type whose own keys are described by a Standard Schema and a JSON Schema. Unknown keys are errors. */
export function standardProviderBlock<Own extends object>({
  description,
  schema,
  keys: written,
  ...words
}: StandardWords<Own>): ProviderBlock<CommonProviderConfig & Own> {
  const { kind } = words
  const keys = writtenSchema(written, `a provider of type ${kind}`)
  const common = z.strictObject({ type: needed(z.literal(kind), description), ...commonKeys })
  const ownKeys = Object.keys(keys.properties ?? {})
  const taken = ownKeys.find((key) => Object.hasOwn(common._zod.def.shape, key))
  if (taken) throw new TypeError(`${taken} is a key of every provider; type ${kind} cannot define it`)
  const jsonSchema = () => {
    const base = jsonSchemaOf(common)
    return {
      ...base,
      properties: { ...base.properties, ...keys.properties },
      required: [...(base.required ?? []), ...(keys.required ?? [])],
    }
  }
  return {
    ...wordsOf(words, jsonSchema),
    ownKeys,
    read(block, elsewhere) {
      const before = errorCount(block.reading)
      const shared = readBlock(common, block, { elsewhere, more: ownKeys })
      const derive = commonRules(shared, block, false)
      const own = validated(schema, block, ownKeys)
      if (errorCount(block.reading) > before || !own) return undefined
      const whole = wholeOf(common, shared)
      return { ...own, ...whole, ...derive(whole) }
    },
    jsonSchema,
  }
}

/** undefined after a problem was noted. */
function validated<Own>(schema: StandardSchema<Own>, block: Block, keys: string[]): Own | undefined {
  const written = keys.filter((key) => given(block, key)).map((key) => [key, block.raw[key]])
  const result = schema['~standard'].validate(Object.fromEntries(written))
  if (result instanceof Promise) throw new TypeError('the schema of a provider must be synchronous')
  if (!result.issues) return result.value
  for (const { message, path = [] } of result.issues) {
    const key = path.map((part) => (typeof part === 'object' ? part.key : part)).map(partOf)
    note(block, 'CONFIG_BAD_VALUE', `${nameOf([...block.path, ...key])}: ${message}`, { key })
  }
  return undefined
}

function partOf(key: PropertyKey): string | number {
  return typeof key === 'symbol' ? String(key) : key
}
