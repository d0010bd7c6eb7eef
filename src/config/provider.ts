// The provider block of a pool: what each kind of provider says of its own, and the reading of one of whatever kind.
import * as z from 'zod/mini'
import type { HostAlias } from '../pki/index.ts'
import { nearest } from '../platform/index.ts'
import { kinds, needed } from './fields.ts'
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts'
import { type CommonProviderConfig, commonKeys, commonRules, type ProviderConfig } from './provider-keys.ts'
import {
  type Block,
  described,
  errorCount,
  given,
  note,
  orList,
  type Partially,
  readBlock,
  wholeOf,
} from './read-block.ts'

/** A kind of provider as the configuration knows it. `C` is its block after defaults and rules. */
export interface ProviderBlock<C extends CommonProviderConfig = CommonProviderConfig> {
  /** `type` in the file, such as `local`. */
  readonly kind: string
  /** The keys it has beside those of every provider, for a hint where one stands in a block of another kind. */
  readonly ownKeys: readonly string[]
  /** Remedies for keys of other kinds, in the words of this one. */
  readonly translations: Readonly<Record<string, string>>
  /** Hosts of `master_url` that the cloud's metadata server replaces, and by what. */
  readonly hostAliases: Readonly<Record<string, HostAlias>>
  /** What agents dial where `master_url` names no host: one of the aliases, or an address. */
  readonly defaultHost: string
  /** What docs/configuration.md says beside the keys. */
  readonly reference: ProviderReference
  /** The block; undefined after an error was noted. `elsewhere` has the remedy for a key that is none of its own. */
  read(block: Block, elsewhere: (key: string) => string | undefined): C | undefined
  /** The block as editors and docs/configuration.md have it. */
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
  /** A sentence on how the slots of its machines are known. */
  slots?: string
  /** Rows of the table of what differs from Determined: key, there, here. */
  differences?: readonly (readonly [key: string, determined: string, here: string])[]
}

/** What a kind of provider says of its block in words; the rest follows from its schema. */
export interface ProviderWords {
  kind: string
  translations?: Readonly<Record<string, string>>
  hostAliases?: Readonly<Record<string, HostAlias>>
  /** Default: 127.0.0.1. */
  defaultHost?: string
  reference?: ProviderReference
}

/** The whole schema of a block: `type`, the keys of every provider, and those of this kind. `description` is of `type`. */
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
   * Notes what is wrong between keys, of which those with a wrong value are missing. What it gives makes the
   * configuration of the whole block, once no error was noted.
   */
  rules(keys: Partially<z.output<S>>, block: Block): (whole: z.output<S>) => C
}

/** A kind whose block is told by a schema of ours (`providerSchema`) and the rules between its keys. */
export function providerBlock<S extends z.ZodMiniObject, C extends CommonProviderConfig>({
  schema,
  rules,
  ...words
}: SchemaBlock<S, C>): ProviderBlock<C> {
  return {
    ...wordsOf(words),
    ownKeys: Object.keys(schema._zod.def.shape).filter(isOwn),
    read(block, elsewhere) {
      const before = errorCount(block.reading)
      const keys = readBlock(schema, block, { elsewhere })
      const configOf = rules(keys, block)
      return errorCount(block.reading) === before ? configOf(wholeOf(schema, keys)) : undefined
    },
    jsonSchema: () => jsonSchemaOf(schema),
  }
}

/** With what is assumed where nothing is said. */
export function wordsOf({ kind, ...words }: ProviderWords) {
  return {
    kind,
    translations: words.translations ?? {},
    hostAliases: words.hostAliases ?? {},
    defaultHost: words.defaultHost ?? '127.0.0.1',
    reference: words.reference ?? {},
  }
}

function isOwn(key: string): boolean {
  return key !== 'type' && !Object.hasOwn(commonKeys, key)
}

// Reading: by `type` to the kind.

const anyKind = z.looseObject(commonKeys)

/** undefined after a problem was noted. `typeKey` is where the block says its type: `provider` in the old form. */
export function readProvider(
  block: Block,
  providers: readonly ProviderBlock[],
  typeKey: 'type' | 'provider' = 'type',
): ProviderConfig | undefined {
  const own = providers.find(({ kind }) => kind === block.raw['type'])
  if (own) return own.read(block, (key) => elsewhere(key, own, providers))
  // What all types have in common can still be judged.
  commonRules(readBlock(anyKind, block), block, false)
  return refuseType(block, providers, typeKey)
}

function refuseType(block: Block, providers: readonly ProviderBlock[], key: string): undefined {
  const written = block.raw['type']
  const kinds = providers.map(({ kind }) => kind)
  if (!given(block, 'type'))
    return note(block, 'PROVIDER_TYPE_MISSING', 'The provider has no type', {
      remedy: `Add ${typesOf(kinds)}.`,
    })
  if (written === 'hpc')
    return note(block, 'PROVIDER_HPC', '`type: hpc` has no agents to launch', {
      key,
      remedy: `Remove the provider of this pool, or use \`type: ${unquoted(kinds, '`')}.`,
    })
  const meant = typeof written === 'string' ? nearest(written, kinds) : undefined
  return note(block, 'PROVIDER_TYPE_UNKNOWN', `There is no provider of type ${described(written)}`, {
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

/** Keys of other kinds, and of the other form: what to do about them. */
function elsewhere(key: string, own: ProviderBlock, providers: readonly ProviderBlock[]): string | undefined {
  if (Object.hasOwn(own.translations, key)) return own.translations[key]
  if (key === 'provider') return 'Outside the old provisioner block the key is called "type".'
  const other = providers.find(({ ownKeys }) => ownKeys.includes(key))?.kind
  return (
    other && `It is a key of \`type: ${other}\`, and this provider is of \`type: ${own.kind}\`; remove it.`
  )
}
