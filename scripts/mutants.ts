// `npm run mutants -- [--count 30] [--seed text] [--only src/planner] [--worlds 1000] [--jobs 1]`: makes one small mistake
// at a time in a copy of the planner or the fleet, and looks for what notices it: their unit tests, the type check, 50
// simulated worlds, or 1,000. Prints a table, and how many went unnoticed. Results are kept in .cache/mutants.jsonl: the same command continues
// where it was stopped, and a larger --count or --worlds adds to them.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  chosen,
  type Mutant,
  mutantsOf,
  type Noticed,
  type Result,
  resultsOf,
  summary,
} from './mutants/choice.ts'
import { applied } from './mutants/operators.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '30' },
    seed: { type: 'string', default: 'mutants' },
    /** Start of the paths. */
    only: { type: 'string', default: '' },
    worlds: { type: 'string', default: '1000' },
    /** Mutants at the same time; each takes one core. */
    jobs: { type: 'string', default: '1' },
    /** Mutants whose every result is known are printed, and none is run. */
    report: { type: 'boolean', default: false },
  },
})

const root = resolve(import.meta.dirname, '..')
const rooms = ['planner', 'fleet']
const store = join(root, '.cache/mutants.jsonl')
const fewWorlds = 50
const manyWorlds = Number(values.worlds)

/** The tests of a room and of those that build on it, the nearest first. */
const testsOf: Record<string, string[]> = {
  planner: ['test/unit/planner', 'test/unit/fleet'],
  fleet: ['test/unit/fleet'],
}

const files = rooms
  .flatMap((room) => readdirSync(join(root, 'src', room)).map((name) => `src/${room}/${name}`))
  .filter((file) => file.endsWith('.ts') && file.startsWith(values.only))
  .sort()
const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
/** What went unnoticed is looked for again when any source or test is another one. */
const version = versionOf(['src', 'test/unit/planner', 'test/unit/fleet', 'test/support'])
const running = new Set<ChildProcess>()
const workspaces: string[] = []

function versionOf(folders: string[]): string {
  const hash = createHash('sha256')
  for (const folder of folders)
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort())
      if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(root, folder, name)))
  return hash.digest('hex').slice(0, 12)
}

interface Run {
  /** Standard output and error. */
  text: string
  isOk: boolean
  isLate: boolean
  seconds: number
}

/** Ends the program and its children after `ms` milliseconds. */
function run(folder: string, args: string[], ms: number): Promise<Run> {
  const start = performance.now()
  const child = spawn(process.execPath, args, {
    cwd: folder,
    detached: true,
    env: { ...process.env, NO_COLOR: '1', CI: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let text = ''
  let isLate = false
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part) => {
      if (text.length < 1e6) text += part
    })
  const timer = setTimeout(() => {
    isLate = true
    killGroup(child)
  }, ms)
  return new Promise((done) => {
    child.on('close', (code) => {
      clearTimeout(timer)
      running.delete(child)
      done({ text, isOk: code === 0, isLate, seconds: (performance.now() - start) / 1000 })
    })
  })
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function workspace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
  workspaces.push(folder)
  for (const part of [
    'src',
    'scripts',
    'test',
    'package.json',
    'tsconfig.json',
    'docs',
    'examples',
    'templates',
  ])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  // Nothing of the tests of these rooms needs the bundle, and no file needs a process of its own.
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `export default { test: { pool: 'threads', isolate: false, maxWorkers: 1, bail: 1, testTimeout: 60_000 } }\n`,
  )
  writeFileSync(
    join(folder, 'tsconfig.mutants.json'),
    JSON.stringify({
      extends: './tsconfig.json',
      include: ['src'],
      compilerOptions: { incremental: true, tsBuildInfoFile: './types.json', noUnusedLocals: false },
    }),
  )
  return folder
}

const types = (folder: string) =>
  run(folder, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.mutants.json'], 600_000)

const unitTests = (folder: string, room: string, ms: number) =>
  run(folder, ['node_modules/vitest/vitest.mjs', 'run', ...testsOf[room]!], ms)

const worlds = (folder: string, from: number, count: number, ms: number) =>
  run(
    folder,
    [
      'scripts/simulate-soak.ts',
      '--until-broken',
      '--seed',
      'mutants',
      '--from',
      `${from}`,
      '--worlds',
      `${count}`,
    ],
    ms,
  )

/** Seconds of a run without a mistake, by which an endless one is known. Throws when the sources themselves fail. */
interface Usual {
  unit: number
  worlds: number
}

async function measure(folder: string): Promise<Usual> {
  const unit = await unitTests(folder, 'planner', 600_000)
  if (!unit.isOk) throw new Error(`the tests fail without a mistake:\n${unit.text.slice(-4000)}`)
  const checked = await types(folder)
  if (!checked.isOk) throw new Error(`the types are wrong without a mistake:\n${checked.text.slice(-4000)}`)
  const few = await worlds(folder, 0, fewWorlds, 600_000)
  if (!few.isOk) throw new Error(`a world is broken without a mistake:\n${few.text.slice(-4000)}`)
  return { unit: unit.seconds, worlds: few.seconds }
}

/** A busy machine is no endless loop. */
const lateAfter = (seconds: number) => 30_000 + seconds * 3_000

async function judge(folder: string, mutant: Mutant, usual: Usual, before?: Result): Promise<Result> {
  const path = join(folder, mutant.file)
  const source = sources.get(mutant.file)!
  const room = dirname(mutant.file).split('/')[1]!
  let result: Result = before
    ? { ...before, version }
    : { ...mutant, version, noticed: 'nothing', by: '', seconds: 0, worlds: 0 }
  const add = (noticed: Noticed, { text, isOk, isLate, seconds }: Run, ran: number) => {
    const total = Math.round((result.seconds + seconds) * 10) / 10
    const by = isOk ? '' : isLate ? 'no end' : whatFailed(text)
    result = { ...result, noticed: isOk ? 'nothing' : noticed, by, seconds: total, worlds: ran }
    return !isOk
  }
  writeFileSync(path, applied(source, mutant))
  try {
    if (before?.version !== version)
      if (add('unit tests', await unitTests(folder, room, lateAfter(usual.unit)), result.worlds))
        return result
    if (!before && add('types', await types(folder), 0)) return result
    const each = usual.worlds / fewWorlds
    const first = Math.min(fewWorlds, manyWorlds)
    if (result.worlds < first)
      if (add('50 worlds', await worlds(folder, 0, first, lateAfter(each * first)), first)) return result
    const left = manyWorlds - result.worlds
    if (left > 0)
      add('1,000 worlds', await worlds(folder, result.worlds, left, lateAfter(each * left)), manyWorlds)
    return result
  } finally {
    writeFileSync(path, source)
  }
}

/** The first failed test, the broken promise, or the last line. */
function whatFailed(text: string): string {
  const type = /error TS\d+: .*/.exec(text)?.[0]
  const test = /^\s*FAIL\s+(?:\|\w+\|\s*)?(.*)$/m.exec(text)?.[1]
  const promise = /broken \((promise \d+)/.exec(text)?.[1]
  const error = /^\s*(\w*Error: .*)$/m.exec(text)?.[1]
  return (type ?? test ?? promise ?? error ?? text.trim().split('\n').at(-1) ?? '').slice(0, 160)
}

function line({ file, at, kind, old, text, noticed, by, seconds }: Result): string {
  const cell = (words: string) => words.replaceAll('|', '\\|').replace(/\s+/g, ' ').slice(0, 70)
  return `| ${file.slice(4)}:${at} | ${kind}: \`${cell(old)}\` → \`${cell(text)}\` | ${noticed === 'nothing' ? '**nothing**' : noticed} | ${cell(by)} | ${seconds} |`
}

const wanted = chosen(mutantsOf(sources), Number(values.count), values.seed)
const known = resultsOf(existsSync(store) ? readFileSync(store, 'utf8') : '')
const results: Result[] = []
console.log('| place | mistake | noticed by | which | seconds |\n|---|---|---|---|---|')

function report(result: Result): void {
  results.push(result)
  console.log(line(result))
}

const open = [...wanted]
async function work(): Promise<void> {
  let folder: string | undefined
  let usual: Usual | undefined
  try {
    for (let mutant = open.shift(); mutant; mutant = open.shift()) {
      const before = known.get(mutant.id)
      const isDone =
        before &&
        (before.noticed !== 'nothing' || (before.version === version && before.worlds >= manyWorlds))
      if (before && (isDone || values.report)) report(before)
      else if (!values.report) {
        folder ??= workspace()
        usual ??= await measure(folder)
        const result = await judge(folder, mutant, usual, before)
        mkdirSync(dirname(store), { recursive: true })
        appendFileSync(store, `${JSON.stringify(result)}\n`)
        report(result)
      }
    }
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true })
  }
}

for (const stop of ['SIGINT', 'SIGTERM'] as const)
  process.once(stop, () => {
    for (const child of running) killGroup(child)
    for (const folder of workspaces) rmSync(folder, { recursive: true, force: true })
    process.exit(1)
  })
await Promise.all(Array.from({ length: Number(values.jobs) }, work))
console.log(`\n${summary(results)}`)
