// Reads YAML 1.2 with merge keys into plain values, with the location of each. Knows no meaning of the values.
import {
  type Document,
  type ErrorCode,
  isCollection,
  isScalar,
  LineCounter,
  parseDocument,
  type ScalarTag,
  type Tags,
  visit,
  type YAMLParseError,
} from 'yaml'
import { type Problem, type ProblemCode, problem } from '../problems/index.ts'
import { type Places, placesOf, toTree, type YamlFault, type YamlPath, type YamlTree } from './yaml-tree.ts'

export type { YamlPath }

export interface YamlText extends Pick<Places, 'locate' | 'textOf'> {
  /** undefined if the text is not YAML; null if it is empty. */
  value: unknown
  problems: Problem[]
}

/** yes, no, on and off are booleans, as in Determined's parser (yaml.v2); `y` and `n` stay strings. */
const words = /^(?:true|yes|on|false|no|off)$/i
const trueWords = /^(?:true|yes|on)$/i
const booleanTag = 'tag:yaml.org,2002:bool'

/**
 * Never throws. After a problem that leaves the rest readable (a key set twice, a NUL in a string) there is still a value,
 * so that all problems of a file are reported at once.
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
    : toTree(document, text, lineOf)
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
    // Duplicates are found while converting, where the first of the two keys is known.
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
  return { code: 'YAML_CHARACTER', message: 'the file has a NUL byte', start: at, end: at + 1 }
}

/** Every YAML parser ignores a mark at the start; anywhere else it is part of a key or a value. */
function byteOrderFaults(text: string): YamlFault[] {
  const at = text.indexOf('\uFEFF', 1)
  const found: YamlFault[] = []
  if (text.startsWith('\uFEFF'))
    found.push({
      code: 'YAML_BYTE_ORDER_MARK',
      message: 'the file starts with a byte order mark',
      start: 0,
      end: 1,
    })
  if (at > 0)
    found.push({
      code: 'YAML_CHARACTER',
      message: 'a byte order mark inside the text',
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

// The parser's errors, with a better message or a remedy.

interface Wording {
  code?: ProblemCode
  message?: string
  remedy?: string
}

const wordings: Partial<Record<ErrorCode, Wording>> = {
  TAB_AS_INDENT: { code: 'YAML_TAB', message: 'a tab is used for indentation' },
  MULTIPLE_DOCS: { code: 'YAML_SEVERAL_DOCUMENTS', message: 'a second document starts here' },
  RESOURCE_EXHAUSTION: { code: 'YAML_TOO_LARGE', message: 'the file is nested too deeply' },
  TAG_RESOLVE_FAILED: { code: 'YAML_TAG' },
  BAD_INDENT: { remedy: 'Give every key of one mapping, and every "-" of one list, the same indentation.' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'this value becomes a mapping: another ": " follows, on this line or indented below it',
    remedy:
      'Put quotes around a value that contains ": ", or give the next key the same indentation as this one.',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a key spans several lines; usually the line before lacks its ":"',
    remedy: 'Write "key: value" on every line, or put quotes around a string of several lines.',
  },
  MISSING_CHAR: { remedy: 'Add the missing character; check quotes and brackets above this line, too.' },
  BAD_SCALAR_START: { remedy: 'Put quotes around the value: it starts with a character YAML reserves.' },
  BAD_DQ_ESCAPE: { remedy: 'Use single quotes, or write each backslash twice.' },
  BAD_ALIAS: { remedy: 'Put quotes around a value that starts with "*" or "&".' },
}

/** More are usually consequences of the first ones. */
const most = 10

/** One fault for each line: later ones on the same line are usually consequences. */
export function syntaxFaults(document: Document.Parsed, lineOf: (offset: number) => number): YamlFault[] {
  const seen = new Set<number>()
  const faults = [...document.errors, ...(document.warnings as YAMLParseError[])]
    .map((error) => neverClosed(document, error) ?? worded(error))
    .filter(({ start }) => !seen.has(lineOf(start)) && seen.add(lineOf(start)))
  const exhausted = faults.find(({ code }) => code === 'YAML_TOO_LARGE')
  return exhausted ? [exhausted] : faults.slice(0, most)
}

function worded({ code, message, pos: [start, end] }: YAMLParseError): YamlFault {
  const wording = wordings[code]
  return {
    code: wording?.code ?? 'YAML_SYNTAX',
    message: wording?.message ?? message,
    start,
    end,
    ...(wording?.remedy && { remedy: wording.remedy }),
  }
}

/** The parser reports a missing quote or bracket at the end of the text; the useful location is where it was opened. */
function neverClosed(
  document: Document.Parsed,
  { message, pos: [at] }: YAMLParseError,
): YamlFault | undefined {
  const closer = /^Missing closing (["'])quote|^Flow .* end with a ([\]}])$/.exec(message)
  if (!closer) return undefined
  let start: number | undefined
  visit(document, {
    Node(_key, node) {
      const mayBeOpen = isScalar(node) ? node.type?.startsWith('QUOTE') : isCollection(node) && node.flow
      if (mayBeOpen && node.range && node.range[0] < at && node.range[2] >= at) start = node.range[0]
    },
  })
  const sign = closer[1] ?? closer[2]
  return {
    code: 'YAML_SYNTAX',
    message: `this value is never closed with ${sign}`,
    start: start ?? at,
    end: (start ?? at) + 1,
    remedy: `Add the missing ${sign}.`,
  }
}
