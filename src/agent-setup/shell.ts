// Turns values into shell: quoted words and heredocs that no value can break out of. Nothing else in the program does.
import { ProvisionError, problem } from '../problems/index.ts'

/** False for text that no shell word or UTF-8 file can contain: NUL ends a C string, a lone surrogate has no UTF-8 form. */
export function isShellSafe(value: string): boolean {
  return !/\0|\p{Surrogate}/u.test(value)
}

/** Quotes any text as one word: nothing is special between single quotes (POSIX 2.2.2). */
export function quote(value: string): string {
  refuseUnsafe(value)
  return `'${value.replaceAll("'", "'\\''")}'`
}

/**
 * The end of a command line that passes `value` to the command's standard input, byte for byte; adds a missing final line
 * end. The delimiter is quoted, so nothing in the text is expanded (POSIX 2.7.4).
 */
export function heredoc(value: string): string {
  refuseUnsafe(value)
  const lines = new Set(value.split('\n'))
  let delimiter = 'END'
  for (let n = 2; lines.has(delimiter); n++) delimiter = `END${n}`
  const body = value === '' || value.endsWith('\n') ? value : `${value}\n`
  return `<<'${delimiter}'\n${body}${delimiter}`
}

function refuseUnsafe(value: string): void {
  if (isShellSafe(value)) return
  throw new ProvisionError(problem('USER_DATA_TEXT', 'a value contains a NUL character or a lone surrogate'))
}

// Scans a shell script in pieces and tracks the quotes, substitution or heredoc that enclose the current position.

/** Constructs in which a value is not allowed, as worded in messages. */
export type ShellPlace =
  | 'single quotes'
  | 'double quotes'
  | 'a command substitution'
  | 'an expansion'
  | 'arithmetic'
  | 'backquotes'
  | 'parentheses'
  | 'a comment'
  | 'a heredoc'

interface Heredoc {
  delimiter: string
  /** `<<-`: the delimiter may be indented with tabs. */
  indented: boolean
}

export interface ShellState {
  places: ShellPlace[]
  /** Heredocs whose bodies start after this line; the first may be the current one. */
  heredocs: Heredoc[]
  /** The current line up to this point. */
  line: string
}

const opener = /^(?:\$\(\(|\(\(|\$\(|\$\{|[('"`])/
const placeOf: Record<string, ShellPlace> = {
  '$((': 'arithmetic',
  '((': 'arithmetic',
  '$(': 'a command substitution',
  '${': 'an expansion',
  '(': 'parentheses',
  "'": 'single quotes',
  '"': 'double quotes',
  '`': 'backquotes',
}
const closer: Partial<Record<ShellPlace, string>> = {
  arithmetic: '))',
  'a command substitution': ')',
  'an expansion': '}',
  parentheses: ')',
  'double quotes': '"',
  backquotes: '`',
}
const heredocStart = /^<<(-?)[ \t]*\\?(['"]?)([\w.-]+)\2/

export function startOfScript(): ShellState {
  return { places: [], heredocs: [], line: '' }
}

/** The innermost construct around this point; undefined at the top level, where a command is allowed. */
export function placeIn(state: ShellState): ShellPlace | undefined {
  return state.places.at(-1)
}

/** The state after `text`. Tokens are not joined across two calls. */
export function scanShell(state: ShellState, text: string): ShellState {
  const next = { places: [...state.places], heredocs: [...state.heredocs], line: state.line }
  for (let rest = text; rest !== ''; ) {
    const taken = step(next, rest)
    next.line = taken.includes('\n') ? taken.slice(taken.lastIndexOf('\n') + 1) : next.line + taken
    rest = rest.slice(taken.length)
  }
  return next
}

/** Returns the next token of `rest`. */
function step(state: ShellState, rest: string): string {
  const place = state.places.at(-1)
  if (rest[0] === '\n') return endLine(state)
  if (place === 'a heredoc' || place === 'a comment') return rest.split('\n', 1)[0]!
  if (place === 'single quotes') return take(state, rest, "'")
  if (rest[0] === '\\') return rest.slice(0, 2)
  const end = place && closer[place]
  if (end && rest.startsWith(end)) return take(state, rest, end)
  const opened = opener.exec(rest)?.[0]
  if (opened && !(place === 'double quotes' && !/^[$`]/.test(opened))) {
    state.places.push(placeOf[opened]!)
    return opened
  }
  if (place === 'double quotes' || place === 'an expansion' || place === 'arithmetic') return rest[0]!
  if (rest.startsWith('<<<')) return '<<<'
  const document = heredocStart.exec(rest)
  if (document) {
    state.heredocs.push({ delimiter: document[3]!, indented: document[1] === '-' })
    return document[0]
  }
  if (rest[0] === '#' && /(?:^|[\s;|&(])$/.test(state.line)) state.places.push('a comment')
  return rest[0]!
}

/** Text up to and including the closing mark, which closes the innermost construct; all of the text without one. */
function take(state: ShellState, rest: string, mark: string): string {
  const at = rest.indexOf(mark)
  const newline = rest.indexOf('\n')
  if (newline >= 0 && (at < 0 || newline < at)) return newline === 0 ? '\n' : rest.slice(0, newline)
  if (at < 0) return rest
  state.places.pop()
  return rest.slice(0, at + mark.length)
}

function endLine(state: ShellState): string {
  const place = state.places.at(-1)
  if (place === 'a comment') state.places.pop()
  if (place === 'a heredoc') {
    const [{ delimiter, indented } = { delimiter: '', indented: false }] = state.heredocs
    if ((indented ? state.line.replace(/^\t+/, '') : state.line) !== delimiter) return '\n'
    state.heredocs.shift()
    state.places.pop()
  }
  // Inside multi-line quotes the body has not begun yet.
  const quoted = state.places.some((open) => open === 'single quotes' || open === 'double quotes')
  if (state.heredocs.length > 0 && !quoted) state.places.push('a heredoc')
  return '\n'
}
