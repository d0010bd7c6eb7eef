// docs/configuration.md, generated from the schema: one table for each block.

import { type JsonSchema, jsonSchemaOf } from './json-schema.ts'
import type { ProviderBlock, ProviderReference } from './provider.ts'
import { commonKeys } from './provider-keys.ts'
import { masterFile } from './schema.ts'

/** The page as Markdown. Same schemas, same bytes. */
export function referencePage(providers: readonly ProviderBlock[]): string {
  const root = rawSchema(providers)
  const pool = root.properties!['resource_pools']!.items!
  const [first] = pool.properties!['provider']!.oneOf!
  const kinds = providers.map(({ kind }) => `\`${kind}\``)
  return [
    introduction(providers),
    section('## The file', root),
    section('## `resource_pools[]`', pool),
    `## \`provider\`\n\nEvery type of provider has these keys. \`type\` is ${kinds.slice(0, -1).join(', ')} or ${kinds.at(-1)}.`,
    ...blocks('provider', pick(first!, isCommon)),
    ...providers.flatMap(({ kind, reference, proofKinds, jsonSchema }) => [
      `## \`provider\`, \`type: ${kind}\`${reference.intro ? `\n\n${reference.intro}` : ''}`,
      ...blocks(
        'provider',
        pick(jsonSchema(), (key) => !isCommon(key)),
      ),
      ...(proofKinds.length > 0 ? [`Kinds of proof for \`join.proofs\`: ${proofsOf(proofKinds)}.`] : []),
    ]),
    machines(providers),
    corrections(providers),
    `## Keys of the master\n\nThe provisioner does not read these keys: ${foreignKeys(root)}. The same is true of every other key at the top level, in a pool, in \`security\` and in \`resource_manager\` that is not on this page; a key that is probably a misspelt key of the provisioner gets a warning.`,
  ]
    .join('\n\n')
    .concat('\n')
}

function proofsOf([standard, ...more]: readonly string[]): string {
  return [`\`${standard}\` (default)`, ...more.map((kind) => `\`${kind}\``)].join(', ')
}

function isCommon(key: string): boolean {
  return Object.hasOwn(commonKeys, key)
}

/** A heading, the table of the block, and the tables of its nested blocks without the provider. */
function section(heading: string, schema: JsonSchema): string {
  return [heading, ...blocks('', schema)].join('\n\n')
}

function blocks(path: string, schema: JsonSchema): string[] {
  const own = entries(schema)
  const inner = own.flatMap(([key, value]) => {
    const name = path ? `${path}.${key}` : key
    const list = value.items && withKeys(value.items)
    const nested = list ?? withKeys(value)
    if (!nested || key === 'resource_pools') return []
    return [`### \`${name}${list ? '[]' : ''}\``, ...blocks(`${name}${list ? '[]' : ''}`, nested)]
  })
  return [table(own, schema.required ?? []), ...inner]
}

function withKeys(schema: JsonSchema): JsonSchema | undefined {
  return schema.properties ? schema : schema.anyOf?.find((option) => option.properties)
}

/** The keys of the provisioner: those of the master have no type. */
function entries(schema: JsonSchema): [string, JsonSchema][] {
  return Object.entries(schema.properties ?? {}).filter(([, value]) => !isForeign(value))
}

function isForeign(schema: JsonSchema): boolean {
  return (
    schema.type === undefined &&
    !schema.anyOf &&
    !schema.oneOf &&
    !schema['deprecated'] &&
    !('const' in schema)
  )
}

function foreignKeys(root: JsonSchema): string {
  const names = Object.entries(root.properties ?? {}).filter(([, value]) => isForeign(value))
  return names.map(([key]) => `\`${key}\``).join(', ')
}

function table(rows: [string, JsonSchema][], required: string[]): string {
  const lines = rows.map(([key, schema]) => {
    const old = schema['deprecated'] ? ' *(old)*' : ''
    return `| \`${key}\`${old} | ${typeOf(schema)} | ${required.includes(key) ? 'required' : defaultOf(schema)} | ${cell(schema.description ?? '')} |`
  })
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...lines].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function itemsOf(items: JsonSchema | undefined): string {
  if (items?.anyOf) return [...new Set(items.anyOf.map(itemsOf))].join(' and ')
  return items?.type === 'string' ? 'strings' : 'mappings'
}

function typeOf(schema: JsonSchema): string {
  if (schema['const'] !== undefined) return `\`${schema['const']}\``
  if (Array.isArray(schema['enum'])) return schema['enum'].map((word) => `\`${word}\``).join(', ')
  const options = schema.anyOf ?? []
  if (options.length) return [...new Set(options.map(typeOf))].join(' or ')
  if (schema.oneOf) return 'mapping'
  switch (schema.type) {
    case 'string':
      return String(schema['pattern'] ?? '').includes('µs') ? 'duration' : 'string'
    case 'boolean':
      return '`true`, `false`'
    case 'integer':
      return `integer ${rangeOf(schema)}`
    case 'number':
      return 'number'
    case 'array':
      return `list of ${itemsOf(schema.items)}`
    case 'object':
      return 'mapping'
    default:
      return 'any'
  }
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  return maximum === undefined ? `≥ ${minimum}` : `${minimum} to ${maximum}`
}

function defaultOf(schema: JsonSchema): string {
  if (schema['x-default'] !== undefined) return cell(schema['x-default'])
  const value = schema['default']
  if (value === undefined) return '—'
  if (value === '') return 'empty'
  if (typeof value !== 'object') return `\`${value}\``
  return schema.properties ? 'see below' : `\`${JSON.stringify(value)}\``
}

function pick(schema: JsonSchema, keep: (key: string) => boolean): JsonSchema {
  const kept = Object.entries(schema.properties ?? {}).filter(([key]) => keep(key))
  return { properties: Object.fromEntries(kept), required: schema.required ?? [] }
}

function introduction(providers: readonly ProviderBlock[]): string {
  const shown = providers.filter(({ reference }) => reference.example)
  return `# Configuration

This page is generated from the schema (\`npm run docs\`); \`provision schema\` prints the same as JSON Schema for editors.

The provisioner reads the master's own \`master.yaml\`. \`provision validate\` reports all problems at once, with line, column and remedy, also of the certificates and of what it would launch ([commands.md](commands.md#validate)).

- **Paths** are relative to the file's folder.
- **Durations** are strings in [Go's syntax](https://pkg.go.dev/time#ParseDuration): \`90s\`, \`20m\`, \`1h30m\`. A bare number is rejected, because its unit is unknown.
- **Sizes** are in GB, IOPS and MiB/s where the table says so; prices in dollars per hour.
- \`yes\`, \`no\`, \`on\` and \`off\` are booleans. \`<<\` merges anchors. A key without a value counts as not set.
- **Unknown keys** in the provisioner's own blocks are errors at any depth. In blocks that the master reads, too, they are warnings, except a misspelt \`security\`, \`tls\`, \`demand\`, \`resource_pools\` or \`provider\`.
- **Variables** such as \`$AMI_ID\` and \`{{ region }}\` are not replaced: they are errors, except in scripts and in the agent's configuration.
- **Environment**: \`DET_PORT\`, \`DET_SECURITY_TLS_CERT\` and \`DET_SECURITY_TLS_KEY\` override the file, as for the master; relative paths in them are relative to the working directory.

\`\`\`yaml
security:
  tls: {cert: certs/chain.crt, key: certs/server.key}
resource_pools:
  - pool_name: gpu
    provider:
${example('      ', 'type', shown[0])}
\`\`\`

The **old form** has one pool, \`default\`, whose provider is the top-level block \`provisioner\`; there \`type\` is called \`provider\`. The two forms cannot be mixed.

\`\`\`yaml
provisioner:
${example('  ', 'provider', shown.at(-1))}
\`\`\``
}

function example(indent: string, typeKey: string, provider: ProviderBlock | undefined): string {
  const lines = provider ? [`${typeKey}: ${provider.kind}`, ...(provider.reference.example ?? [])] : []
  return lines.map((line) => `${indent}${line}`).join('\n')
}

function machines(providers: readonly ProviderBlock[]): string {
  const images = texts(providers, 'images').map((item) => `- ${item}`)
  return `### Machine images

There is no built-in image: those of Determined no longer exist. Images need Docker, and the NVIDIA runtime for GPU pools. Public images with both:

${images.join('\n')}

### Slots

\`instance_slots\` and \`slots\` take precedence. ${texts(providers, 'slots').join(' ')}`
}

function texts(providers: readonly ProviderBlock[], key: 'images' | 'slots'): string[] {
  return providers.flatMap(({ reference }) => reference[key] ?? [])
}

type Difference = NonNullable<ProviderReference['differences']>[number]

const common: readonly Difference[] = [
  [
    '`master_url` without scheme or port',
    '`http`, port 8080, even if the master uses TLS',
    "`https` and the master's port if `security.tls.cert` is set",
  ],
  ['`master_url` with an IPv6 host', 'loses its brackets', 'keeps them'],
  ['`master_url` with user and password', 'is sent to every instance', 'rejected'],
  ['`master_url` as a list', 'rejected', 'several masters, for built-in agents'],
  ['`security.tls.key`', 'required with `cert`', 'read only by a process that serves with it'],
  ['unknown keys inside `network_interface`, `instance_type`, …', 'ignored', 'rejected'],
  [
    '`agent_config_file_contents` as a string',
    'reaches agents as a quoted string they cannot read',
    'parsed',
  ],
  ['`type: hpc`', 'accepted, then crashes', 'rejected'],
]

function corrections(providers: readonly ProviderBlock[]): string {
  const rows = [...common, ...providers.flatMap(({ reference }) => reference.differences ?? [])]
  return `## Differences from Determined

| key | Determined | here |
|---|---|---|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`
}

// The JSON Schema of master.yaml, for editors and for the reference.

function rawSchema(providers: readonly ProviderBlock[]): JsonSchema {
  const root = jsonSchemaOf(masterFile)
  const pool = root.properties?.['resource_pools']?.items?.properties
  return {
    ...root,
    properties: {
      ...root.properties,
      resource_pools: {
        ...root.properties?.['resource_pools'],
        items: {
          ...root.properties?.['resource_pools']?.items,
          properties: { ...pool, provider: anyOf(pool?.['provider'], providers) },
        },
      },
      provisioner: anyOf(root.properties?.['provisioner'], providers),
    },
  }
}

/** A block of any of these types, selected by `type`. */
function anyOf(described: JsonSchema | undefined, providers: readonly ProviderBlock[]): JsonSchema {
  const { description, deprecated } = described ?? {}
  const oneOf = providers.map((provider) => {
    const { $schema: _, ...schema } = provider.jsonSchema()
    return schema
  })
  return { description, ...(deprecated !== undefined && { deprecated }), oneOf }
}

/** The output of `provision schema`. */
export function configSchema(providers: readonly ProviderBlock[]): JsonSchema {
  const schema = withoutWords(rawSchema(providers))
  const provisioner = schema.properties?.['provisioner']
  if (provisioner) provisioner.oneOf = provisioner.oneOf?.map(oldForm)
  return {
    ...schema,
    title: 'master.yaml',
    description: 'Configuration of a master and its provisioner.',
    not: {
      anyOf: ['provisioner', 'scheduler'].flatMap((old) =>
        ['resource_manager', 'resource_pools'].map((key) => ({ required: [old, key] })),
      ),
    },
  }
}

/** In the old form the key `type` is called `provider`. */
function oldForm(provider: JsonSchema): JsonSchema {
  const { type, ...properties } = provider.properties ?? {}
  return {
    ...provider,
    properties: { ...(type && { type, provider: type }), ...properties },
    required: [],
    anyOf: [{ required: ['provider'] }, { required: ['type'] }],
  }
}

/** Moves each default text into the description, where editors show it. */
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
