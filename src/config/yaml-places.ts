// Where in the text a path of a YAML document is: through aliases and merge keys, to the line that has to be edited.
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Pair,
  type ParsedNode,
  visit,
} from 'yaml'
import type { Where } from '../problems/problem.ts'
import { codeFrame } from './code-frame.ts'
import { isMergeKey, keyText } from './yaml-tree.ts'

export type YamlPath = readonly (string | number)[]

type Node = ParsedNode | null
type Entry = Pair<ParsedNode, Node>

/** A step of a path: the pair of a mapping, or the item of a list. */
interface Step {
  key?: ParsedNode
  value: Node
}

export interface Places {
  /** The place of a value, of its key, or of the nearest thing above that exists. */
  locate(path: YamlPath, part?: 'value' | 'key'): Where
  /** A plain value's text as written, such as `0.50` or `off`; undefined for anything else. */
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

  function resolved(node: Node): Node {
    return isAlias(node) ? (targets.get(node as Alias) ?? null) : node
  }

  function find(node: Node, name: string | number): Step | undefined {
    if (isSeq<ParsedNode>(node) && typeof name === 'number') {
      const value = node.items[name]
      return value && { value: resolved(value) }
    }
    if (!isMap<ParsedNode, Node>(node)) return undefined
    const own = node.items.find((pair) => !isMergeKey(pair.key) && keyText(pair.key) === String(name))
    return own ? stepOf(own as Entry) : findMerged(node.items as Entry[], name)
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
    return longTexts.some(([first, last]) => line > first && line <= last)
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

/** A value left empty has no text of its own: its key is the better place. */
function hasText(node: Node): node is ParsedNode {
  return node !== null && node.range[1] > node.range[0]
}

/** First and last lines of texts over several lines. */
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
