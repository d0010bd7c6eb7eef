// docs/configuration.md, made from the schema: one table for each block.

import * as z from 'zod/mini'
import { publicAwsImage } from '../providers/aws/rules.ts'
import { publicGcpImage } from '../providers/gcp/rules.ts'
import { documentation, foreign } from './fields.ts'
import { commonKeys } from './provider-keys.ts'
import { masterFile } from './schema.ts'

/** The page as Markdown. Same schema, same bytes. */
export function referencePage(): string {
  const root = rawSchema()
  const pool = root.properties!['resource_pools']!.items!
  const [aws, gcp, local] = pool.properties!['provider']!.oneOf!
  const common = Object.keys(commonKeys)
  return [
    introduction,
    section('## The file', root),
    section('## `resource_pools[]`', pool),
    '## `provider`\n\nEvery type of provider has these keys. `type` is `aws`, `gcp` or `local`.',
    ...blocks('provider', pick(aws!, common)),
    '## `provider`, `type: aws`',
    ...blocks('provider', drop(aws!, common)),
    images,
    '## `provider`, `type: gcp`',
    ...blocks('provider', drop(gcp!, common)),
    '## `provider`, `type: local`\n\nVMs are processes on this machine; `agent_runtime` is always `process`: `provider: {type: local, min_instances: 2, slots: 1}`.',
    ...blocks('provider', drop(local!, common)),
    corrections,
    `## Keys of the master\n\nThese are let through unread: ${foreignKeys(root)}. So is every key not named on this page at the top level, in a pool, in \`security\` and in \`resource_manager\`; one that nearly spells a key of ours gets a warning.`,
  ]
    .join('\n\n')
    .concat('\n')
}

/** A heading, the table of the block, and those of the blocks inside it that are no provider. */
function section(heading: string, schema: JsonSchema): string {
  return [heading, ...blocks('', schema)].join('\n\n')
}

function blocks(path: string, schema: JsonSchema): string[] {
  const own = entries(schema)
  const inner = own.flatMap(([key, value]) => {
    const name = path ? `${path}.${key}` : key
    const list = value.items?.properties
    const nested = value.properties
      ? value
      : list
        ? value.items!
        : value.anyOf?.find((option) => option.properties)
    if (!nested || key === 'resource_pools') return []
    return [`### \`${name}${list ? '[]' : ''}\``, ...blocks(`${name}${list ? '[]' : ''}`, nested)]
  })
  return [table(own, schema.required ?? []), ...inner]
}

/** Keys that are ours: those of the master have no type. */
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
    return `| \`${key}\`${old} | ${typeOf(schema)} | ${required.includes(key) ? 'has to be given' : defaultOf(schema)} | ${cell(schema.description ?? '')} |`
  })
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...lines].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function typeOf(schema: JsonSchema): string {
  if (schema['const'] !== undefined) return `\`${schema['const']}\``
  if (Array.isArray(schema['enum'])) return schema['enum'].map((word) => `\`${word}\``).join(', ')
  const options = schema.anyOf ?? []
  if (options.length) return [...new Set(options.map(typeOf))].join(' or ')
  if (schema.oneOf) return 'mapping'
  switch (schema.type) {
    case 'string':
      return String(schema['pattern'] ?? '').includes('µs') ? 'duration' : 'text'
    case 'boolean':
      return '`true`, `false`'
    case 'integer':
      return `whole number ${rangeOf(schema)}`
    case 'number':
      return 'number'
    case 'array':
      return `list of ${schema.items?.type === 'string' ? 'texts' : 'mappings'}`
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

function pick(schema: JsonSchema, keys: string[]): JsonSchema {
  return filtered(schema, (key) => keys.includes(key))
}

function drop(schema: JsonSchema, keys: string[]): JsonSchema {
  return filtered(schema, (key) => !keys.includes(key))
}

function filtered(schema: JsonSchema, keep: (key: string) => boolean): JsonSchema {
  const kept = Object.entries(schema.properties ?? {}).filter(([key]) => keep(key))
  return { properties: Object.fromEntries(kept), required: schema.required ?? [] }
}

const introduction = `# Configuration

This page is generated from the schema (\`npm run docs\`); \`provision schema\` prints the same as JSON Schema for editors.

The provisioner reads the master's own \`master.yaml\`. \`provision validate\` names everything wrong with it at once, with line, column and remedy.

- **Paths** are relative to the file's folder.
- **Durations** are texts in [Go's syntax](https://pkg.go.dev/time#ParseDuration): \`90s\`, \`20m\`, \`1h30m\`. A bare number is refused, because its unit would be a guess.
- **Sizes** are in GB, IOPS and MiB/s where the table says so; prices in dollars an hour.
- \`yes\`, \`no\`, \`on\` and \`off\` are booleans. \`<<\` merges anchors. A key left empty counts as not set.
- **Unknown keys** in our own blocks are errors at any depth.
- **Environment**: \`DET_PORT\`, \`DET_SECURITY_TLS_CERT\` and \`DET_SECURITY_TLS_KEY\` win over the file, as for the master; relative paths in them start from the working directory.

\`\`\`yaml
security:
  tls: {cert: certs/chain.crt, key: certs/server.key}
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      image: {ssm: ${publicAwsImage.ssm}}
      instance_type: g5.xlarge
      max_instances: 8
\`\`\`

The **old form** has one pool, \`default\`, whose provider is the top-level block \`provisioner\`; there \`type\` is called \`provider\`. The two forms cannot be mixed.

\`\`\`yaml
provisioner:
  provider: gcp
  project: my-project
  zone: us-central1-a
  boot_disk_source_image: ${publicGcpImage}
\`\`\``

const images = `### Machine images

There is no built-in image: those of Determined are gone. Images need Docker, and the NVIDIA runtime for GPU pools. Public ones that have both:

- AWS: \`image: {ssm: ${publicAwsImage.ssm}}\`, or \`image: {owner: ${publicAwsImage.owner}, name: "${publicAwsImage.name}"}\` ([AWS Deep Learning AMIs](https://docs.aws.amazon.com/dlami/latest/devguide/what-is-dlami.html)).
- GCP: \`boot_disk_source_image: ${publicGcpImage}\` ([Deep Learning VM Images](https://cloud.google.com/deep-learning-vm/docs/images)); \`gcloud compute images list --project deeplearning-platform-release --no-standard-images\` lists the current families.

### Slots

\`instance_slots\` and \`slots\` win. Otherwise a table of known types is used, so that a dry run needs no cloud: NVIDIA GPU types (p2 to p6, g4dn to g7e), and families without accelerators (0 slots, or one CPU slot with \`cpu_slots_allowed\`). For any other type the number has to be given. On GCP the machine type tells its built-in GPUs (a2, a3, a4, g2, g4); to N1 machines \`gpu_num\` GPUs are attached.`

const corrections = `## What differs from Determined

| key | Determined | here |
|---|---|---|
| \`master_url\` without scheme or port | \`http\`, port 8080, whatever the master speaks | \`https\` and the master's port when \`security.tls.cert\` is set |
| \`master_url\` with an IPv6 host | loses its brackets | keeps them |
| \`master_url\` with user and password | goes to every VM | refused |
| \`security.tls.key\` | needed beside \`cert\` | read only by a process that serves with it |
| \`image_id\`, \`boot_disk_source_image\` | built-in images | have to be given |
| \`ssh_key_name\` | needed | optional |
| \`instance_slots\` | ignored for known types | wins |
| \`spot_max_price: "."\` | accepted | refused |
| \`log_stream\` without \`log_group\`; \`network\` without \`subnetwork\` | half of it ignored | refused |
| unknown keys inside \`network_interface\`, \`instance_type\`, … | ignored | refused |
| GCP machine types | a fixed list | any name of the right form |
| GPUs of other than N1 machines | four T4 unless said otherwise | what the machine type has built in |
| \`boot_disk_type\` | \`pd-standard\` | \`pd-standard\` where the machine series has it |
| \`agent_config_file_contents\` as a text | reaches agents as a quoted text they cannot read | parsed |
| \`agent_config_file_contents\` on GCP | dropped | used |
| \`tag_key\`, \`label_key\` | decide which VMs are ours | never do |
| \`type: hpc\` | accepted, then crashes | refused |`

// The JSON Schema of master.yaml, for editors (draft-07, which they know best) and for the reference.

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
