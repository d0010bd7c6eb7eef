// The parser's complaints in words that say what to do.
import { type Document, type ErrorCode, isCollection, isScalar, visit, type YAMLParseError } from 'yaml'
import type { ProblemCode } from '../problems/codes.ts'
import type { YamlFault } from './yaml-tree.ts'

interface Wording {
  code?: ProblemCode
  message?: string
  remedy?: string
}

const wordings: Partial<Record<ErrorCode, Wording>> = {
  TAB_AS_INDENT: { code: 'YAML_TAB', message: 'A tab is used for indentation' },
  MULTIPLE_DOCS: { code: 'YAML_SEVERAL_DOCUMENTS', message: 'A second document begins here' },
  RESOURCE_EXHAUSTION: { code: 'YAML_TOO_LARGE', message: 'The file is nested too deeply' },
  TAG_RESOLVE_FAILED: { code: 'YAML_TAG' },
  BAD_INDENT: { remedy: 'Give every key of one mapping, and every "-" of one list, the same indentation.' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'This value turns into a mapping: another ": " follows, on this line or indented below it',
    remedy:
      'Put quotes around a value that holds ": ", or give the next key the same indentation as this one.',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'A key runs over several lines; most often the line before lacks its ":"',
    remedy: 'Write "key: value" on every line, or put quotes around a text of several lines.',
  },
  MISSING_CHAR: { remedy: 'Add the missing character; check quotes and brackets above this line, too.' },
  BAD_SCALAR_START: { remedy: 'Put quotes around the value: it starts with a character YAML reserves.' },
  BAD_DQ_ESCAPE: { remedy: 'Use single quotes, or write each backslash twice.' },
  BAD_ALIAS: { remedy: 'Put quotes around a value that starts with "*" or "&".' },
}

/** More than this many are consequences of each other. */
const most = 10

/** One fault for each line: what follows on the same line is mostly a consequence. */
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

/** The parser sees a missing quote or bracket where the text ends; people look for where it was opened. */
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
    message: `What starts here is never closed with ${sign}`,
    start: start ?? at,
    end: (start ?? at) + 1,
    remedy: `Add the missing ${sign}.`,
  }
}
