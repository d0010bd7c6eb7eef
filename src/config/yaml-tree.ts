// From the syntax tree of a YAML document to plain values: aliases, merge keys, and the limits that keep both harmless.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  type Scalar,
} from 'yaml'
import type { ProblemCode } from '../problems/codes.ts'

/** Something wrong between two offsets of the text. */
export interface YamlFault {
  code: ProblemCode
  message: string
  start: number
  end: number
  remedy?: string
}

export interface YamlTree {
  value: unknown
  /** What each alias stands for. */
  targets: Map<Alias, ParsedNode>
  faults: YamlFault[]
}

type Node = ParsedNode | null

/** Nodes that aliases may add. A real file adds a few dozen; a bomb adds billions. */
const aliasBudget = 10_000
const deepest = 200
const unclean = 'The text holds a NUL character or half a surrogate pair'

export function toTree(document: Document.Parsed, lineOf: (offset: number) => number): YamlTree {
  const anchors = new Map<string, ParsedNode>()
  const targets = new Map<Alias, ParsedNode>()
  const faults: YamlFault[] = []
  const open = new Set<ParsedNode>()
  let budget = aliasBudget
  let insideAlias = 0

  function fault(code: ProblemCode, message: string, node: ParsedNode): undefined {
    faults.push({ code, message, start: node.range[0], end: node.range[1] })
    return undefined
  }

  function convert(node: Node, depth: number): unknown {
    if (node === null) return null
    if (isAlias(node)) return convertAlias(node as Alias.Parsed, depth)
    if (node.anchor) anchors.set(node.anchor, node)
    if (insideAlias > 0 && --budget < 0) return undefined
    if (depth > deepest)
      return fault('YAML_TOO_LARGE', `The file is nested deeper than ${deepest} levels`, node)
    if (isScalar(node)) return convertScalar(node)
    open.add(node)
    const value = isSeq<ParsedNode>(node)
      ? node.items.map((item) => convert(item, depth + 1))
      : Object.fromEntries(entriesOf(node, depth))
    open.delete(node)
    return value
  }

  function convertScalar(node: Scalar.Parsed): unknown {
    if (typeof node.value === 'string' && !isClean(node.value)) fault('YAML_CHARACTER', unclean, node)
    return node.value
  }

  function convertAlias(node: Alias.Parsed, depth: number): unknown {
    const target = anchors.get(node.source)
    if (!target)
      return fault('YAML_UNKNOWN_ALIAS', `No anchor &${node.source} stands before this alias`, node)
    if (open.has(target))
      return fault('YAML_UNKNOWN_ALIAS', `The anchor &${node.source} contains its own alias`, node)
    targets.set(node, target)
    insideAlias++
    const value = convert(target, depth + 1)
    insideAlias--
    if (budget < 0 && insideAlias === 0 && !faults.some((f) => f.code === 'YAML_TOO_LARGE'))
      fault('YAML_TOO_LARGE', `Aliases repeat more than ${aliasBudget} values`, node)
    return value
  }

  /** Own keys win over merged ones, earlier merges over later ones (https://yaml.org/type/merge.html). */
  function entriesOf(map: ParsedNode, depth: number): Map<string, unknown> {
    const own = new Map<string, { value: unknown; at: number }>()
    const merged = new Map<string, unknown>()
    if (!isMap<ParsedNode, Node>(map)) return merged
    for (const { key, value } of map.items) {
      if (isMergeKey(key)) {
        for (const source of mergeSources(value, depth))
          for (const [name, item] of source) if (!merged.has(name)) merged.set(name, item)
        continue
      }
      const name = keyText(key)
      if (name === undefined) {
        fault('YAML_KEY', 'A key must be a plain text', key ?? map)
        continue
      }
      if (!isClean(name)) fault('YAML_CHARACTER', unclean, key)
      const first = own.get(name)
      if (first)
        fault(
          'YAML_DUPLICATE_KEY',
          `${JSON.stringify(name)} is set twice; first in line ${lineOf(first.at)}`,
          key,
        )
      const item = convert(value, depth + 1)
      if (!first) own.set(name, { value: item, at: key.range[0] })
    }
    return new Map([...[...own].map(([name, { value }]) => [name, value] as const), ...rest(merged, own)])
  }

  function mergeSources(value: Node, depth: number): Map<string, unknown>[] {
    const list = value && isSeq<ParsedNode>(value) ? value.items : [value]
    return list.flatMap((item) => {
      const whole = convert(item, depth + 1)
      const isMapping = typeof whole === 'object' && whole !== null && !Array.isArray(whole)
      if (isMapping) return [new Map(Object.entries(whole))]
      if (whole !== undefined && item) fault('YAML_MERGE', '"<<" takes a mapping or a list of mappings', item)
      return []
    })
  }

  return { value: convert(document.contents, 0), targets, faults }
}

function rest(merged: Map<string, unknown>, own: Map<string, unknown>): [string, unknown][] {
  return [...merged].filter(([name]) => !own.has(name))
}

export function isMergeKey(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
}

/** Keys are texts as written: `on:` stays "on", `8080:` stays "8080". */
export function keyText(key: Node): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined
  return typeof key.value === 'string' ? key.value : key.source
}

/** Lone surrogates cannot be written as UTF-8, NUL cannot be held by a shell. */
function isClean(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text)
}
