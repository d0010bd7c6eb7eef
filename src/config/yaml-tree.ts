// From the syntax tree of a YAML document to plain values: aliases, merge keys, and limits for both.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Pair,
  type ParsedNode,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml'
import type { ProblemCode, Where } from '../problems/index.ts'
import { codeFrame } from './report.ts'

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
  /** The node of each alias. */
  targets: Map<Alias, ParsedNode>
  faults: YamlFault[]
}

type Node = ParsedNode | null

/** Nodes that aliases may add. A real file adds a few dozen; an attack adds billions. */
const aliasBudget = 10_000
const deepest = 200
const unclean = 'the text has a NUL character or a lone surrogate'

export function toTree(
  document: Document.Parsed,
  text: string,
  lineOf: (offset: number) => number,
): YamlTree {
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
      return fault('YAML_TOO_LARGE', `the file is nested deeper than ${deepest} levels`, node)
    if (isScalar(node)) return convertScalar(node)
    const template = templateIn(node)
    if (template !== undefined) return template
    open.add(node)
    const value = isSeq<ParsedNode>(node)
      ? node.items.map((item) => convert(item, depth + 1))
      : Object.fromEntries(entriesOf(node, depth))
    open.delete(node)
    return value
  }

  /** `{{ name }}` is a mapping to YAML, but was meant for a template engine. */
  function templateIn(node: ParsedNode): string | undefined {
    if (!isMap<ParsedNode, Node>(node) || !node.flow) return undefined
    const [first, second] = node.items
    return first && !second && isMap(first.key) && !first.value
      ? text.slice(node.range[0], node.range[1])
      : undefined
  }

  function convertScalar(node: Scalar.Parsed): unknown {
    if (typeof node.value === 'string' && !isClean(node.value)) fault('YAML_CHARACTER', unclean, node)
    return node.value
  }

  function convertAlias(node: Alias.Parsed, depth: number): unknown {
    const target = anchors.get(node.source)
    if (!target)
      return fault('YAML_UNKNOWN_ALIAS', `no anchor &${node.source} is defined before this alias`, node)
    if (open.has(target))
      return fault('YAML_UNKNOWN_ALIAS', `the anchor &${node.source} contains its own alias`, node)
    targets.set(node, target)
    insideAlias++
    const value = convert(target, depth + 1)
    insideAlias--
    if (budget < 0 && insideAlias === 0 && !faults.some((f) => f.code === 'YAML_TOO_LARGE'))
      fault('YAML_TOO_LARGE', `aliases repeat more than ${aliasBudget} values`, node)
    return value
  }

  /** Own keys override merged ones, earlier merges override later ones (https://yaml.org/type/merge.html). */
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
        fault('YAML_KEY', 'a key must be a plain string', key ?? map)
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
      if (whole !== undefined && item)
        fault('YAML_MERGE', '"<<" must be a mapping or a list of mappings', item)
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

/** Keys are strings as written: `on:` stays "on", `8080:` stays "8080". */
export function keyText(key: Node): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined
  return typeof key.value === 'string' ? key.value : key.source
}

/** Lone surrogates cannot be encoded as UTF-8, and a shell cannot store NUL. */
function isClean(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text)
}

// The location of a path of a YAML document in the text: through aliases and merge keys, to the line to edit.

export type YamlPath = readonly (string | number)[]
type Entry = Pair<ParsedNode, Node>

/** A step of a path: the pair of a mapping, or the item of a list. */
interface Step {
  key?: ParsedNode
  value: Node
}

export interface Places {
  /** The location of a value, of its key, or of the nearest existing parent. */
  locate(path: YamlPath, part?: 'value' | 'key'): Where
  /** The source of a plain value, such as `0.50` or `off`; undefined for anything else. */
  textOf(path: YamlPath): string | undefined
  whereOf(start: number, end: number, path?: string): Where
}

export function placesOf(
  text: string,
  file: string,
  root: Node,
  targets: Map<Alias, ParsedNode>,
  counter: LineCounter,
): Places {
  const lines = text.split(/\r?\n/)
  let longTexts: [number, number][] | undefined
  const indexed = new Map<object, Map<string, Entry>>()

  function resolved(node: Node): Node {
    return isAlias(node) ? (targets.get(node as Alias) ?? null) : node
  }

  function find(node: Node, name: string | number): Step | undefined {
    if (isSeq<ParsedNode>(node) && typeof name === 'number') {
      const value = node.items[name]
      return value && { value: resolved(value) }
    }
    if (!isMap<ParsedNode, Node>(node)) return undefined
    const own = entriesByKey(node).get(String(name))
    return own ? stepOf(own) : findMerged(node.items as Entry[], name)
  }

  /** Its own entries, the first of each key. Kept, because a mapping of thousands of wrong keys is searched for each. */
  function entriesByKey(node: YAMLMap<ParsedNode, Node>): Map<string, Entry> {
    let byKey = indexed.get(node)
    if (!byKey) {
      byKey = new Map()
      for (const entry of node.items as Entry[]) {
        const key = isMergeKey(entry.key) ? undefined : keyText(entry.key)
        if (key !== undefined && !byKey.has(key)) byKey.set(key, entry)
      }
      indexed.set(node, byKey)
    }
    return byKey
  }

  function findMerged(pairs: Entry[], name: string | number): Step | undefined {
    for (const { key, value } of pairs) {
      if (!isMergeKey(key)) continue
      const source = resolved(value)
      for (const item of isSeq<ParsedNode>(source) ? source.items : [source]) {
        const found = find(resolved(item), name)
        if (found) return found
      }
    }
    return undefined
  }

  function stepOf({ key, value }: Entry): Step {
    return { key, value: resolved(value) }
  }

  function follow(path: YamlPath): { step: Step; whole: boolean } {
    let step: Step = { value: root }
    for (const name of path) {
      const next = find(step.value, name)
      if (!next) return { step, whole: false }
      step = next
    }
    return { step, whole: true }
  }

  function isHidden(line: number): boolean {
    longTexts ??= textsOf(root, counter)
    // They are in the order of the file: only the last one that begins above the line can contain it.
    let low = 0
    for (let high = longTexts.length; low < high; ) {
      const middle = (low + high) >> 1
      if (longTexts[middle]![0] < line) low = middle + 1
      else high = middle
    }
    return low > 0 && line <= longTexts[low - 1]![1]
  }

  function whereOf(start: number, end: number, path?: string): Where {
    const { line, col } = counter.linePos(Math.min(start, text.length))
    const frame = codeFrame(lines, { line, column: col, length: end - start }, isHidden)
    return { file, line, column: col, frame, ...(path && { path }) }
  }

  return {
    whereOf,
    locate(path, part = 'value') {
      const name = path.join('.')
      const { step, whole } = follow(path)
      const wanted = whole && part === 'value' && hasText(step.value) ? step.value : (step.key ?? step.value)
      if (!wanted || (!whole && wanted === root)) return { file, ...(name && { path: name }) }
      const [start, end] = wanted.range
      return whereOf(start, isScalar(wanted) ? end : start + 1, name)
    },
    textOf(path) {
      const { step, whole } = follow(path)
      return whole && isScalar(step.value) && step.value.type === 'PLAIN' ? step.value.source : undefined
    },
  }
}

/** An empty value has no text, so the location of its key is used. */
function hasText(node: Node): node is ParsedNode {
  return node !== null && node.range[1] > node.range[0]
}

/** First and last lines of multi-line strings. */
function textsOf(root: Node, counter: LineCounter): [number, number][] {
  const found: [number, number][] = []
  visit(root, {
    Scalar(_key, { range }) {
      if (!range) return
      const first = counter.linePos(range[0]).line
      const last = counter.linePos(Math.max(range[0], range[1] - 1)).line
      if (last > first) found.push([first, last])
    },
  })
  return found
}
