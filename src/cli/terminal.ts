// The terminal and the files a command reads and writes: data on standard out, messages on standard error.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { styleText } from 'node:util'
import { reportProblem } from '../config/index.ts'
import { printable } from '../platform/index.ts'
import { codeInfo, isError, type Problem, ProvisionError, problem } from '../problems/index.ts'

type Style = Parameters<typeof styleText>[0]

export interface Terminal {
  /** Data. */
  out(text: string | Uint8Array): void
  /** A message on standard error. */
  say(line: string): void
  /** Writes to standard error unchanged. */
  write(text: string): void
  style(style: Style, text: string): string
  /** True if standard error is a terminal. */
  interactive: boolean
  /** The trimmed answer, or with `hidden` what was typed, unseen; undefined if the input ends. Absent without a terminal. */
  ask?: ((question: string, options?: { hidden?: boolean }) => Promise<string | undefined>) | undefined
  columns(): number
  rows(): number
  /** Calls it whenever the terminal has changed its size. */
  onResize?: (listener: () => void) => void
}

/** What a command gets from its process. */
export interface Context {
  terminal: Terminal
  env: NodeJS.ProcessEnv
  cwd: string
}

export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process
  const coloured = stderr.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  const terminal: Terminal = {
    out: (text) => void stdout.write(text),
    say: (line) => void stderr.write(`${line}\n`),
    write: (text) => void stderr.write(text),
    style: (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text),
    interactive: Boolean(stderr.isTTY),
    // A terminal without a size reports 0.
    columns: () => stderr.columns || 100,
    rows: () => stderr.rows || 24,
    onResize: (listener) => void stderr.on('resize', listener),
    // Node loads its streams when standard in is first looked at, which few commands do.
    get ask() {
      return stderr.isTTY && process.stdin.isTTY ? askProcess : undefined
    },
  }
  stdout.once('error', (error: NodeJS.ErrnoException) => {
    // `provision … | head`: the reader has closed the pipe on purpose.
    if (error.code !== 'EPIPE')
      sayProblems(terminal, [problem('FILE_NOT_WRITTEN', `standard out: ${error.message}`)])
    process.exit(1)
  })
  // A closed log must not end the program that writes it.
  stderr.on('error', () => {})
  return terminal
}

/** The terminal edits the line and turns Ctrl-C into a signal, as it does for a shell's `read`. */
async function askProcess(question: string, { hidden = false } = {}): Promise<string | undefined> {
  const { createInterface } = await import('node:readline')
  if (hidden) return askUnseen(question)
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  try {
    return await new Promise((resolve) => {
      lines.once('close', () => resolve(undefined))
      lines.question(question, (answer) => resolve(answer.trim()))
    })
  } finally {
    lines.close()
  }
}

/** Node edits the line, because the terminal would show it. Ctrl-C ends the program as elsewhere. */
async function askUnseen(question: string): Promise<string | undefined> {
  const { createInterface } = await import('node:readline')
  const { Writable } = await import('node:stream')
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  process.stderr.write(question)
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  lines.once('SIGINT', () => {
    lines.close()
    process.kill(process.pid, 'SIGINT')
  })
  try {
    return await new Promise((resolve) => {
      lines.once('close', () => resolve(undefined))
      lines.question('', resolve)
    })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}

const colours = { place: 'bold', error: 'red', warning: 'yellow', remedy: 'cyan' } as const

/** More are not read by anybody; JSON has all of them. */
const mostShown = 100

/** The problems with a blank line between two; of very many, the first ones, errors before warnings. */
export function sayProblems(terminal: Terminal, problems: Problem[]): void {
  const tooMany = problems.length > mostShown
  const sorted = tooMany ? [...problems.filter(isError), ...problems.filter((p) => !isError(p))] : problems
  for (const [n, p] of sorted.slice(0, mostShown).entries()) {
    if (n > 0) terminal.say('')
    terminal.say(reportProblem(p, (part, text) => terminal.style(colours[part], text)))
  }
  if (tooMany)
    terminal.say(
      `\nand ${problems.length - mostShown} more; \`provision validate --format json\` lists all of them`,
    )
}

/** True for y or yes, false for n, no or no answer; anything else is asked again. */
export async function confirmed(ask: NonNullable<Terminal['ask']>, question: string): Promise<boolean> {
  for (;;) {
    const answer = (await ask(`${question} [y/n] `))?.toLowerCase()
    if (answer === undefined || answer === 'n' || answer === 'no') return false
    if (answer === 'y' || answer === 'yes') return true
  }
}

/** `2 errors, 1 warning`, or undefined when there is nothing to count. */
function countOf(problems: Problem[]): string | undefined {
  const errors = problems.filter((p) => p.severity === 'error').length
  const warnings = problems.length - errors
  const words = [plural(errors, 'error'), plural(warnings, 'warning')].filter((word) => word !== undefined)
  return words.length ? words.join(', ') : undefined
}

function plural(count: number, word: string): string | undefined {
  return count === 0 ? undefined : `${count} ${word}${count === 1 ? '' : 's'}`
}

export function usage(message: string, remedy: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy }))
}

/** 0 done, 1 failed, 2 usage, 3 configuration or certificate invalid, 4 preflight failed, 5 cloud call rejected. */
export type ExitStatus = 0 | 1 | 2 | 3 | 4 | 5

/** Of the first error; 0 when there are only warnings. */
export function exitStatusOf(problems: Problem[]): ExitStatus {
  const first = problems.find((p) => p.severity === 'error')
  return first ? codeInfo(first.code).exit : 0
}

/** Prints the last line of a command that has shown these problems; returns its exit status. */
export function sayCount(terminal: Terminal, problems: Problem[]): ExitStatus {
  const count = countOf(problems)
  if (count) terminal.say(count)
  return exitStatusOf(problems)
}

export function printJson({ out }: Pick<Terminal, 'out'>, value: unknown): void {
  const lines = JSON.stringify(value, undefined, 2).split('\n')
  out(`${lines.map(printable).join('\n')}\n`)
}

/**
 * Asks before an action that cannot be undone; --yes answers without a terminal. Returns false if the answer is no. Throws
 * CONFIRMATION_NEEDED without a terminal.
 */
export async function confirm(
  what: string,
  yes: boolean | undefined,
  { ask, say }: Terminal,
): Promise<boolean> {
  if (yes) return true
  if (!ask) throw new ProvisionError(problem('CONFIRMATION_NEEDED', `not confirmed: ${what}`))
  if (await confirmed(ask, what)) return true
  say('Nothing was done.')
  return false
}

/** A file named on the command line; `-` is standard input. Throws FILE_UNREADABLE. */
export async function readInput(file: string, cwd: string): Promise<Buffer> {
  const { readFile } = await import('node:fs/promises')
  const { buffer } = await import('node:stream/consumers')
  try {
    // Not by the file descriptor 0: reading an empty pipe that way fails with EAGAIN.
    return await (file === '-' ? buffer(process.stdin) : readFile(resolve(cwd, file)))
  } catch (error) {
    const why = `${file === '-' ? 'standard input' : file} cannot be read: ${(error as Error).message}`
    throw new ProvisionError(problem('FILE_UNREADABLE', why, { cause: error }))
  }
}

/**
 * Readable by its owner only, since user data may hold private values. An existing file is replaced. Throws
 * FILE_NOT_WRITTEN.
 */
export function writeOutput(file: string, data: string | Uint8Array): void {
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, data, { mode: 0o600 })
  } catch (cause) {
    throw new ProvisionError(problem('FILE_NOT_WRITTEN', `${file}: ${(cause as Error).message}`, { cause }))
  }
}
