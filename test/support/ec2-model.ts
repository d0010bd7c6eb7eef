// The fields of RunInstances in the installed EC2 client, read from its type declarations.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** `string`, `boolean`, `number`, `Date`, a structure; `[]` for a list; the values of an enum. */
export type FieldType = string | string[]

export interface InstanceFields {
  /** Every field of RunInstances and its nested structures. */
  structures: Record<string, Record<string, FieldType>>
  /** Paths of fields that the data of a launch template does not have, such as `NetworkInterfaces[].PrivateIpAddress`. */
  runInstancesOnly: string[]
}

const client = createRequire(import.meta.url).resolve('@aws-sdk/client-ec2/package.json')
const folder = join(client, '../dist-types/models')
const files = readdirSync(folder).filter((file) => /^(?:models_\d+|enums)\.d\.ts$/.test(file))
const declarations = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')

const interfaces = new Map(
  [...declarations.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)].map(([, name, body]) => [
    name!,
    Object.fromEntries(
      [...body!.matchAll(/^ {4}(\w+)\??: (.+?)(?: \| undefined)?;$/gm)].map(([, field, type]) => [
        field!,
        type!,
      ]),
    ),
  ]),
)

/** The values of an enum; `InstanceType` and the like change every week, so those with more values are plain strings. */
const mostValues = 40
const enums = new Map(
  [...declarations.matchAll(/^export declare const (\w+): \{\n([\s\S]*?)^\}/gm)].map(([, name, body]) => [
    name!,
    [...body!.matchAll(/: "([^"]*)";$/gm)].map(([, value]) => value!),
  ]),
)

function typeOf(declared: string): FieldType {
  const [, name = '', list = ''] = /^(\w+)((?:\[\])?)$/.exec(declared) ?? []
  if (!name) throw new Error(`a type that is not understood: ${declared}`)
  const values = enums.get(name)
  if (values) return values.length > mostValues || list ? `string${list}` : values
  if (interfaces.has(name) || ['string', 'boolean', 'number', 'Date'].includes(name)) return declared
  throw new Error(`a type that is not understood: ${declared}`)
}

function paths(structure: string, prefix = ''): string[] {
  return Object.entries(interfaces.get(structure)!).flatMap(([field, declared]) => {
    const name = declared.replace(/\[\]$/, '')
    const path = `${prefix}${field}${declared === name ? '' : '[]'}`
    return interfaces.has(name) ? [path, ...paths(name, `${path}.`)] : [path]
  })
}

/** The contents of src/providers/aws/instance-fields.json. */
export function instanceFields(): InstanceFields {
  const structures: InstanceFields['structures'] = {}
  const add = (name: string) => {
    if (structures[name] || !interfaces.has(name)) return
    structures[name] = {}
    for (const [field, declared] of Object.entries(interfaces.get(name)!)) {
      structures[name][field] = typeOf(declared)
      add(declared.replace(/\[\]$/, ''))
    }
  }
  add('RunInstancesRequest')
  const inTemplates = new Set(paths('RequestLaunchTemplateData'))
  return {
    structures,
    runInstancesOnly: paths('RunInstancesRequest').filter((path) => !inTemplates.has(path)),
  }
}
