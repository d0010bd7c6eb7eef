// Reads YAML 1.2 with merge keys into plain values, and tells where each of them stands. Knows nothing of what they mean.
import { LineCounter, parseDocument, type ScalarTag, type Tags } from 'yaml'
import { type Problem, problem } from '../problems/problem.ts'
import { type Places, placesOf, type YamlPath } from './yaml-places.ts'
import { syntaxFaults } from './yaml-syntax.ts'
import { toTree, type YamlFault, type YamlTree } from './yaml-tree.ts'

export type { YamlPath }

export interface YamlText extends Pick<Places, 'locate' | 'textOf'> {
  /** undefined when the text is not YAML; null when nothing is in it. */
  value: unknown
  problems: Problem[]
}

/** yes, no, on and off are booleans, as for the origin's parser (yaml.v2); `y` and `n` stay texts. */
const words = /^(?:true|yes|on|false|no|off)$/i
const trueWords = /^(?:true|yes|on)$/i
const booleanTag = 'tag:yaml.org,2002:bool'

/**
 * Never throws. A problem that leaves the rest readable (a key set twice, a NUL in a text) still gives a value, so
 * that everything wrong with a file can be told at once.
 */
export function readYaml(text: string, file: string): YamlText {
  const counter = new LineCounter()
  const lineOf = (offset: number) => counter.linePos(offset).line
  const nul = text.indexOf('\0')
  if (nul >= 0) return unreadable(text, file, counter, nulFault(nul))
  const document = parse(text, counter)
  const syntax = syntaxFaults(document, lineOf)
  const broken = document.errors.some(({ code }) => code !== 'TAG_RESOLVE_FAILED')
  const tree: YamlTree = broken
    ? { value: undefined, targets: new Map(), faults: [] }
    : toTree(document, lineOf)
  const places = placesOf(text, file, document.contents, tree.targets, counter)
  const faults = [...byteOrderFaults(text), ...syntax, ...tree.faults]
  const tooLarge = faults.some(({ code }) => code === 'YAML_TOO_LARGE')
  return {
    value: tooLarge ? undefined : tree.value,
    problems: faults.map((fault) => problemOf(fault, places)),
    locate: places.locate,
    textOf: places.textOf,
  }
}

function parse(text: string, lineCounter: LineCounter) {
  return parseDocument(text, {
    lineCounter,
    schema: 'core',
    merge: true,
    customTags: withBooleanWords,
    // Duplicates are found while converting, where the first of the two is known.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  })
}

function withBooleanWords(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag === 'string' || tag.tag !== booleanTag) return tag
    return { ...tag, test: words, resolve: (source: string) => trueWords.test(source) } as ScalarTag
  })
}

function nulFault(at: number): YamlFault {
  return { code: 'YAML_CHARACTER', message: 'The file holds a NUL byte', start: at, end: at + 1 }
}

/** A mark at the start is read over by every YAML parser; anywhere else it is a part of a key or a value. */
function byteOrderFaults(text: string): YamlFault[] {
  const at = text.indexOf('\uFEFF', 1)
  const found: YamlFault[] = []
  if (text.startsWith('\uFEFF'))
    found.push({
      code: 'YAML_BYTE_ORDER_MARK',
      message: 'The file begins with a byte order mark',
      start: 0,
      end: 1,
    })
  if (at > 0)
    found.push({
      code: 'YAML_CHARACTER',
      message: 'A byte order mark stands inside the text',
      start: at,
      end: at + 1,
    })
  return found
}

function unreadable(text: string, file: string, counter: LineCounter, fault: YamlFault): YamlText {
  counter.lineStarts.splice(0)
  for (let at = 0; at >= 0 && at < text.length; at = text.indexOf('\n', at) + 1 || -1) counter.addNewLine(at)
  const places = placesOf(text, file, null, new Map(), counter)
  return {
    value: undefined,
    problems: [problemOf(fault, places)],
    locate: places.locate,
    textOf: places.textOf,
  }
}

function problemOf({ code, message, start, end, remedy }: YamlFault, places: Places): Problem {
  return problem(code, message, { where: places.whereOf(start, end), ...(remedy && { remedy }) })
}
