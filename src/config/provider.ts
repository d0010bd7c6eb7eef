// The provider block of a pool: the definition of each type of provider, and how a block of any type is read.
import * as z from 'zod/mini'
import type { HostAlias } from '../pki/index.ts'
import { nearest } from '../platform/index.ts'
import { kinds, needed } from './fields.ts'
import { checkProofKinds } from './join.ts'
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts'
import {
  commonSynonyms,
  type KeyHints,
  keyHints,
  parentOf,
  type Synonyms,
  written as writtenPath,
} from './key-hints.ts'
import {
  type CommonProviderConfig,
  commonBlock,
  commonKeys,
  commonRules,
  type ProviderConfig,
} from './provider-keys.ts'
import {
  type Block,
  type Elsewhere,
  errorCount,
  given,
  note,
  type Partially,
  readBlock,
  wholeOf,
} from './read-block.ts'
import { poolBlock } from './schema.ts'
import { described, orList } from './value-problem.ts'
import type { YamlPath } from './yaml.ts'

/** A type of provider in the configuration. `C` is its block after defaults and rules. */
export interface ProviderBlock<C extends CommonProviderConfig = CommonProviderConfig> {
  /** `type` in the file, such as `local`. */
  readonly kind: string
  /** Its keys beside those of every provider, for a hint if one is in a block of another type. */
  readonly ownKeys: readonly string[]
  /** Where unknown keys belong, by the words of other tools and by the block. */
  readonly hints: KeyHints
  /** Hosts of `master_url` that are replaced with a value of the cloud's metadata server. */
  readonly hostAliases: Readonly<Record<string, HostAlias>>
  /** The host that agents dial if `master_url` has none: one of the aliases, or an address. */
  readonly defaultHost: string
  /** Kinds of proof that its instances can make (`join.proofs`); the first is the default. Empty: none. */
  readonly proofKinds: readonly string[]
  /** The text of docs/configuration.md beside the keys. */
  readonly reference: ProviderReference
  /** The block; undefined after an error was noted. `elsewhere` returns the remedy for a key of another type. */
  read(block: Block, elsewhere: Elsewhere): C | undefined
  /** The block as JSON Schema, for editors and docs/configuration.md. */
  jsonSchema(): JsonSchema
}

/** Markdown. */
export interface ProviderReference {
  /** Before the table of its keys. */
  intro?: string
  /** A line of flow YAML without braces: keys of a working block. */
  example?: readonly string[]
  /** An item of the list of public machine images. */
  images?: string
  /** A sentence on how the slots of its instances are determined. */
  slots?: string
  /** Rows of the table of differences: key, Determined, this provisioner. */
  differences?: readonly (readonly [key: string, determined: string, here: string])[]
}

/** The texts of a type of provider; the rest follows from its schema. */
export interface ProviderWords {
  kind: string
  /** What keys of other tools and of other types are called in this one. */
  synonyms?: Synonyms
  hostAliases?: Readonly<Record<string, HostAlias>>
  /** Default: 127.0.0.1. */
  defaultHost?: string
  /** Default: none. */
  proofKinds?: readonly string[]
  reference?: ProviderReference
}

/** The complete schema of a block: `type`, the keys of every provider, and its own. `description` documents `type`. */
export function providerSchema<const K extends string, S extends z.core.$ZodLooseShape>(
  kind: K,
  description: string,
  ownKeys: S,
) {
  return z
    .strictObject({ type: needed(z.literal(kind), description), ...commonKeys, ...ownKeys })
    .register(kinds, { noun: `a provider of type ${kind}` })
}

interface SchemaBlock<S extends z.ZodMiniObject, C> extends ProviderWords {
  schema: S
  /**
   * Notes problems between keys; keys with an invalid value are missing. Returns the function that builds the
   * configuration from the complete block, if no error was noted.
   */
  rules(keys: Partially<z.output<S>>, block: Block): (whole: z.output<S>) => C
}

/** A type whose block is described by a `providerSchema` and rules between its keys. */
export function providerBlock<S extends z.ZodMiniObject, C extends CommonProviderConfig>({
  schema,
  rules,
  ...words
}: SchemaBlock<S, C>): ProviderBlock<C> {
  const jsonSchema = () => jsonSchemaOf(schema)
  return {
    ...wordsOf(words, jsonSchema),
    ownKeys: Object.keys(schema._zod.def.shape).filter(isOwn),
    read(block, elsewhere) {
      const before = errorCount(block.reading)
      const keys = readBlock(schema, block, { elsewhere })
      const configOf = rules(keys, block)
      return errorCount(block.reading) === before ? configOf(wholeOf(schema, keys)) : undefined
    },
    jsonSchema,
  }
}

/** With the defaults. */
export function wordsOf({ kind, ...words }: ProviderWords, jsonSchema: () => JsonSchema) {
  return {
    kind,
    hints: keyHints(jsonSchema, { ...commonSynonyms, ...words.synonyms }),
    hostAliases: words.hostAliases ?? {},
    defaultHost: words.defaultHost ?? '127.0.0.1',
    proofKinds: words.proofKinds ?? [],
    reference: words.reference ?? {},
  }
}

function isOwn(key: string): boolean {
  return key !== 'type' && !Object.hasOwn(commonKeys, key)
}

// Reading: `type` selects the definition.

/**
 * undefined after a problem was noted. `above` is the remedy for keys of the blocks around it; `typeKey` is the key of the
 * type: `provider` in the old form.
 */
export function readProvider(
  block: Block,
  providers: readonly ProviderBlock[],
  above: (key: string) => string | undefined = () => undefined,
  typeKey: 'type' | 'provider' = 'type',
): ProviderConfig | undefined {
  const own = providers.find(({ kind }) => kind === block.raw['type'])
  if (own) {
    checkProofKinds(block, own.kind, own.proofKinds)
    return own.read(block, (key, inside) => elsewhere(key, inside, own, providers) ?? above(key))
  }
  // The keys of every type can still be checked.
  commonRules(readBlock(commonBlock, block), block, false)
  return refuseType(block, providers, typeKey)
}

function refuseType(block: Block, providers: readonly ProviderBlock[], key: string): undefined {
  const written = block.raw['type']
  const kinds = providers.map(({ kind }) => kind)
  if (!given(block, 'type'))
    return note(block, 'PROVIDER_TYPE_MISSING', 'the provider has no type', {
      remedy: `Add ${typesOf(kinds)}.`,
    })
  if (written === 'hpc')
    return note(block, 'PROVIDER_HPC', '`type: hpc` has no agents to launch', {
      key,
      remedy: `Remove the provider of this pool, or use \`type: ${unquoted(kinds, '`')}.`,
    })
  const meant = typeof written === 'string' ? nearest(written, kinds) : undefined
  return note(block, 'PROVIDER_TYPE_UNKNOWN', `unknown provider type: ${described(written)}`, {
    key,
    remedy: meant ? `Did you mean "${meant}"?` : `Write ${typesOf(kinds)}.`,
  })
}

function typesOf(kinds: readonly string[]): string {
  return orList(kinds.map((kind) => `type: ${kind}`)).replaceAll('"', '`')
}

function unquoted(kinds: readonly string[], mark: string): string {
  return orList(kinds).replaceAll('"', mark).slice(mark.length)
}

/** The remedy for a key that the block at `inside` does not have. */
function elsewhere(
  key: string,
  inside: YamlPath,
  own: ProviderBlock,
  providers: readonly ProviderBlock[],
): string | undefined {
  const renamed = own.hints.renamed(key, `With \`type: ${own.kind}\``)
  if (renamed) return renamed
  if (key === 'provider' && inside.length === 0)
    return 'Write "type": the key is called "provider" only in the old provisioner block.'
  const [path, more] = own.hints.pathsTo(key).filter((one) => parentOf(one) !== inside.join('.'))
  if (path && !more) return `Move it: it is ${writtenPath(path)}.`
  const other = providers.find(({ ownKeys }) => ownKeys.includes(key))?.kind
  return other && `Remove it: it is a key of \`type: ${other}\`, but this provider has \`type: ${own.kind}\`.`
}

const commonNames = Object.keys(commonKeys)

/** The remedy for a key of a provider that is outside of one; Determined's provisioner ignores such keys. */
export function providerKey(
  key: string,
  type: unknown,
  providers: readonly ProviderBlock[],
): string | undefined {
  const own = providers.find(({ kind }) => kind === type)
  const renamed = own?.hints.renamed(key, `Below provider, with \`type: ${own.kind}\`,`)
  if (renamed) return renamed
  const isOne =
    key === 'type' || Object.hasOwn(commonKeys, key) || providers.some(({ ownKeys }) => ownKeys.includes(key))
  if (isOne) return 'Move it below provider.'
  const [path, more] = own?.hints.pathsTo(key) ?? []
  if (path && !more) return `Move it below provider: it is ${writtenPath(path)}.`
  const meant = nearest(key, own?.ownKeys ?? []) ?? nearest(key, commonNames)
  return meant && `Did you mean "${meant}", below provider?`
}

/**
 * Keys of the provider beside a `provider:` with nothing below it, or, with a `type` among them, in a pool without one. Notes
 * that as one error; without it the pool would have no provider, and each of them no effect.
 */
export function besideEmptyProvider(pool: Block, providers: readonly ProviderBlock[]): string[] {
  const isMissing = pool.raw['provider'] === undefined && typeof pool.raw['type'] === 'string'
  if (pool.raw['provider'] !== null && !isMissing) return []
  const beside = Object.keys(pool.raw).filter(
    (key) => !Object.hasOwn(poolBlock._zod.def.shape, key) && providerKey(key, pool.raw['type'], providers),
  )
  const [last, ...others] = beside.toReversed()
  if (last === undefined) return []
  const them = others.length > 0 ? `${others.toReversed().join(', ')} and ${last}` : last
  if (isMissing) {
    note(
      pool,
      'CONFIG_MISSING_KEY',
      `the pool has no provider: ${them} stand beside pool_name, not below provider`,
      {
        key: beside[0],
        part: 'key',
        remedy: `Write \`provider:\` above ${beside[0]}, and indent ${them} by two spaces more.`,
      },
    )
    return beside
  }
  note(pool, 'CONFIG_WRONG_TYPE', `provider is empty; ${them} stand beside it, not below it`, {
    key: 'provider',
    part: 'key',
    remedy: `Indent ${them} by two spaces more than provider.`,
  })
  return beside
}
