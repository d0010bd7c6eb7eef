// A page of the documentation as a session: what a reader saves and types, in order, and the output that the page shows.
//
// The conventions, which a reader sees too:
// - A line `$ command` and the lines below it, up to the next `$`, are a command and its output. In an `sh` block each line is
//   a command; the plain block after it, if it has no `$`, is the output of the last one.
// - `…` on a line of its own stands for lines that are left out.
// - "Save this as `FILE`" before a block: the block is that file.
// - "second terminal" before a block: the command before it keeps running while the rest is typed.

export type Step =
  | { kind: 'file'; name: string; text: string }
  | { kind: 'command'; command: string; output?: string[]; keepsRunning: boolean }

export type Command = Extract<Step, { kind: 'command' }>

/** Installing takes a registry, and the tests would run themselves. */
const installed = /^npm ci && (?!npm (?:test|pack))/
const notRun = /^npm ci && npm (?:test|pack)/

export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = []
  const lastCommand = () => steps.findLast((step): step is Command => step.kind === 'command')
  // What stands between two blocks belongs to the block below it.
  for (const [, prose = '', language = '', text = ''] of markdown.matchAll(/(.*?)^```(\w*)\n(.*?)^```$/gms)) {
    const before = lastCommand()
    if (before && /\bsecond terminal\b/.test(prose)) before.keepsRunning = true
    const [, name] = /\bSave this as `([^`]+)`/.exec(prose) ?? []
    const lines = text.trimEnd().split('\n')
    if (name) steps.push({ kind: 'file', name, text })
    else if (language === 'sh') steps.push(...lines.map(typed))
    else if (/^\$ /m.test(text)) steps.push(...shown(lines))
    else if (language === '' && before && before.output === undefined) before.output = lines
  }
  return steps
}

const typed = (line: string): Command => ({
  kind: 'command',
  command: line.replace(/\s+# .*/, ''),
  keepsRunning: false,
})

function shown(lines: string[]): Command[] {
  const commands: Command[] = []
  for (const line of lines) {
    if (line.startsWith('$ ')) commands.push({ ...typed(line.slice(2)), output: [] })
    else commands.at(-1)?.output?.push(line)
  }
  return commands
}

/** What of a command a test can run; undefined for what needs a registry, or is the test run itself. */
export function runnable(command: string): string | undefined {
  return notRun.test(command) ? undefined : command.replace(installed, '')
}

export interface Seen {
  /** The folder of the session: the page shows paths from it. */
  folder: string
  /** Stands for 8443 of the page. */
  port: number
}

/**
 * The first difference between what a page shows and what was printed, or undefined. Times, ids, processes, ages, ports and fingerprints
 * are equal to each other; sizes in bytes may differ by 3 %, because certificates differ in length.
 */
export function difference(page: readonly string[], printed: string, seen: Seen): string | undefined {
  const wanted = comparable(page.join('\n'), seen)
  const lines = comparable(printed, seen)
  let omitted = false
  let from = 0
  for (const line of wanted) {
    if (line.trim() === '…') {
      omitted = true
      continue
    }
    const at = omitted ? lines.findIndex((other, n) => n >= from && equal(line, other)) : from
    const found = lines[at]
    if (found === undefined || !equal(line, found))
      return `the page shows\n  ${line}\nbut printed is\n  ${found ?? '(nothing like it)'}\nin\n${lines.join('\n')}`
    from = at + 1
    omitted = false
  }
  if (omitted || from === lines.length) return undefined
  return `the page leaves out, without a line …,\n  ${lines[from]}\nof\n${lines.join('\n')}`
}

function comparable(text: string, { folder, port }: Seen): string[] {
  const lines = text
    .replaceAll(`${folder}/`, '')
    .replace(new RegExp(`([:=])${port}\\b`, 'g'), '$18443')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'INSTANT')
    .replace(/\d{4}-\d\d-\d\d/g, 'DATE')
    .replace(/\b\d\d:\d\d:\d\d\b/g, 'TIME')
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID')
    .replace(/\blocal-[0-9a-f]{8}-\d+/g, 'local-ID')
    .replace(/\b[0-9a-f]{64}\b/g, 'SHA256')
    .replace(/\bCA [0-9a-f]{6}\b/g, 'CA ID')
    .replace(/\bpid=\d+/g, 'pid=PID')
    .replace(/\b[\d.]+ s ago/g, 'N s ago')
    // For the first 30 seconds.
    .replace(/ \(new\)$/gm, '')
    // Agents that join at the same moment share a line.
    .replace(/^(.* joined )(local-ID(?:, local-ID)+)$/gm, (_, before, ids) =>
      ids.replaceAll(/local-ID(?:, )?/g, `${before}local-ID\n`).trim(),
    )
    .split('\n')
    .map((line) => line.replace(/(?<=\S) +/g, ' ').trimEnd())
    .map((line) => line.replace(/(?<=(?:\bup|on-demand|\.example) )(?:\d+[smh])+(?=$| -$)/, 'AGE'))
  return inAnyOrder(lines.join('\n').trim().split('\n'))
}

/** Agents join independently, so the order of their lines varies. */
function inAnyOrder(lines: string[]): string[] {
  const ofAgents = (line = '') => /^TIME agent (?:connected|joined) /.test(line)
  const sorted: string[] = []
  for (let from = 0; from < lines.length; ) {
    let to = from + 1
    while (ofAgents(lines[from]) && ofAgents(lines[to])) to++
    sorted.push(...lines.slice(from, to).sort())
    from = to
  }
  return sorted
}

const size = /\d[\d,]*(?= bytes\b)/

function equal(page: string, printed: string): boolean {
  const [a, b] = [page, printed].map((line) => Number(size.exec(line)?.[0].replaceAll(',', '')))
  const near = a !== undefined && b !== undefined && Math.abs(a - b) <= 0.03 * b
  return page === printed || (near && page.replace(size, 'N') === printed.replace(size, 'N'))
}
