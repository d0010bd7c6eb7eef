// Placeholders that nothing replaced, such as ${AMI_ID}, {{ region }} or CHANGEME: an error with the line of each.
import { isError } from '../problems/index.ts'
import { type Block, isMapping, note } from './read-block.ts'
import { shown } from './report.ts'
import type { YamlPath } from './yaml.ts'

/** Blocks of the file that are read here; the rest belongs to the master. */
const topLevel = [
  'security',
  'cluster_id',
  'cluster_name',
  'state_dir',
  'state',
  'listen',
  'demand',
  'resource_manager',
  'resource_pools',
  'provisioner',
]
const ofMaster: Record<string, readonly string[]> = {
  security: ['default_task', 'ssh', 'authz', 'initial_user_password'],
  resource_manager: ['scheduler', 'metadata'],
  resource_pools: ['scheduler', 'task_container_defaults', 'kubernetes_namespace'],
}

/** Scripts and contents of files, where `${X}` is for a shell or an agent, and metadata, which may contain some. */
const contents = /script|user_?data|^agent_config_file_contents$|^metadata$/i
/** Free text, in which only the syntax of a template is a placeholder. */
const freeText = /^(?:description|cluster_name|instance_name|custom_tags|labels)$/

/** Of shells, of Jinja, Go and Helm, and of other templates. */
const template =
  /\$\{[^}]*\}|\$\([^)]*\)|\{\{.*?\}\}|(?:^|[^\w$])\$[A-Z_][A-Z\d_]+\b|^\$\w+$|^@@?[A-Z]\w*@@?$|^%[A-Z_]\w*%$/
/** Words that examples use. What a Go template prints for a missing value, `<no value>`, is treated as any other value. */
const example =
  /<(?!no value>)[A-Za-z][^<>]*>|(?<![a-z\d])(?:change|replace)[-_ ]?(?:me|this)(?![a-z\d])|^__[a-z]\w*__$|(?<![a-z\d])(?:your|insert)[-_][a-z]|^(?:todo|fixme|tbd)$|^[a-z]+-x{4,}$/i

/** Replaces the problems of such a value: its form is not the point. */
export function checkPlaceholders(block: Block): void {
  const found: YamlPath[] = []
  for (const key of topLevel) visit(block.raw[key], [key], false, found)
  if (found.length === 0) return
  const { reading } = block
  const paths = new Set(found.map((path) => path.join('.')))
  const isOther = ({ where }: { where?: { path?: string } }) => !paths.has(where?.path ?? '')
  reading.problems = reading.problems.filter((one) => !isError(one) || isOther(one))
  reading.doubts = reading.doubts.filter(isOther)
  for (const path of found) noteAt(block, path)
}

function visit(value: unknown, path: YamlPath, isFree: boolean, found: YamlPath[]): void {
  if (typeof value === 'string') {
    if (template.test(value) || (!isFree && example.test(value))) found.push(path)
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => {
      visit(item, [...path, index], isFree, found)
    })
  } else if (isMapping(value)) {
    const skipped = path.length <= 2 ? (ofMaster[String(path[0])] ?? []) : []
    for (const [key, item] of Object.entries(value))
      if (!skipped.includes(key) && !contents.test(key))
        visit(item, [...path, key], isFree || freeText.test(key), found)
  }
}

function noteAt(block: Block, path: YamlPath): void {
  const name = path.findLast((part) => typeof part === 'string')
  const value = path.reduce<unknown>(
    (inner, part) => (inner as Record<string | number, unknown>)[part],
    block.raw,
  )
  const text = shown(value, name)
  note(block, 'CONFIG_PLACEHOLDER', `${name} is ${text}, a placeholder that was not replaced`, {
    key: path,
    ...(typeof value === 'string' && template.test(value) && { remedy: remedyOf(value) }),
  })
}

function remedyOf(text: string): string {
  const tool = text.includes('{{')
    ? 'render the file with the tool whose template it is'
    : 'run `envsubst < TEMPLATE > FILE`'
  return `Write the value itself, or ${tool}: the provisioner replaces no variables.`
}
