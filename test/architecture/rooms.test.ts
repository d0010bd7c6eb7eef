// Rooms, and who may enter which: a room knows those in the rows above it, never one below, and goes in by index.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, type SourceFile, sourcesBelow, target } from '../support/sources.ts'

/** From the ground up. A room imports rooms of earlier rows only. */
const rows = [
  ['problems'],
  ['platform', 'planner'],
  ['pki'],
  ['config'],
  ['agent-setup'],
  ['providers', 'demand'],
  ['fleet'],
  ['http'],
  ['standalone'],
  ['provisioner'],
  ['simulator'],
  ['cli', 'index.ts', 'testing'],
]
const levelOf = new Map(rows.flatMap((row, level) => row.map((room) => [room, level] as const)))
const rooms = [...levelOf.keys()].filter((room) => !['cli', 'index.ts', 'testing'].includes(room))

/** One room owns each library; zod may guard any outer boundary. */
const owners: Record<string, RegExp> = {
  '@aws-sdk/client-ec2': /^src\/providers\/aws\//,
  '@aws-sdk/client-sts': /^src\/providers\/aws\//,
  '@aws-sdk/core': /^src\/providers\/aws\//,
  '@google-cloud/compute': /^src\/providers\/gcp\//,
  '@peculiar/x509': /^src\/pki\//,
  commander: /^src\/cli\//,
  'csv-parse': /^src\/simulator\//,
  'google-gax': /^src\/providers\/gcp\//,
  handlebars: /^src\/agent-setup\//,
  'prom-client': /^src\/platform\//,
  'reflect-metadata': /^src\/pki\//,
  'string-width': /^src\/cli\//,
  vitest: /^src\/testing\//,
  ws: /^src\/standalone\/protocol\//,
  yaml: /^src\/config\/yaml/,
  zod: /^src\/(?!problems|platform|planner|pki|agent-setup)/,
}

const sources = sourcesBelow('src')
const roomOf = (path: string) => path.split('/')[1]!
const own = (file: SourceFile) =>
  file.imports.flatMap(({ specifier }) => {
    const to = target(file, specifier)
    return to?.startsWith('src/') ? [to] : []
  })

function forbidden(file: SourceFile): string[] {
  const from = roomOf(file.path)
  return own(file).flatMap((to) => {
    const room = roomOf(to)
    if (room === from) return []
    if (levelOf.get(room)! >= levelOf.get(from)!)
      return [`${file.path} imports ${to}, of a room that is not below`]
    return to === `src/${room}/index.ts` ? [] : [`${file.path} imports ${to} past the entry of its room`]
  })
}

function foreign(file: SourceFile): string[] {
  return file.imports.flatMap(({ specifier }) => {
    if (specifier.startsWith('.') || specifier.startsWith('node:')) return []
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    return owners[name]?.test(file.path) ? [] : [`${file.path} imports ${name}`]
  })
}

/** Groups of files that import each other in a circle, however long. */
function circles(files: SourceFile[]): string[][] {
  const reach = new Map<string, Set<string>>()
  const next = new Map(files.map((file) => [file.path, own(file)]))
  const from = (start: string): Set<string> => {
    const seen = new Set<string>()
    const open = [start]
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for (const to of next.get(at) ?? []) if (!seen.has(to) && seen.add(to)) open.push(to)
    return seen
  }
  for (const { path } of files) reach.set(path, from(path))
  const groups = files.map(({ path }) =>
    files.map((other) => other.path).filter((to) => reach.get(path)!.has(to) && reach.get(to)!.has(path)),
  )
  return groups.filter((group, index) => group.length > 0 && group[0] === files[index]!.path)
}

describe('rooms', () => {
  it('are those of the table', () => {
    expect([...new Set(sources.map((file) => roomOf(file.path)))].sort()).toEqual([...levelOf.keys()].sort())
  })

  it('are entered by their entry files, from rooms above them only', () => {
    expect(sources.flatMap(forbidden)).toEqual([])
  })

  it('own their libraries', () => {
    expect(sources.flatMap(foreign)).toEqual([])
  })

  it('have at most 45 files', () => {
    const large = rooms.filter((room) => sources.filter(({ path }) => roomOf(path) === room).length > 45)
    expect(large).toEqual([])
  })

  it('begin with an entry that says in three lines what they are for, what they import, and where to start', () => {
    const mute = rooms.filter(
      (room) => !/^(\/\/ .+\n){3}/.test(readFileSync(join(root, `src/${room}/index.ts`), 'utf8')),
    )
    expect(mute).toEqual([])
  })

  it('hold no circle of more than two files', () => {
    expect(circles(sources).filter((group) => group.length > 2)).toEqual([])
  })

  it('that are pure reach for no clock, network, environment or SDK', () => {
    const outside =
      /\bprocess\.[a-z]|Date\.now|new Date\(\)|Math\.random|node:(net|tls|https?|dns|child_process)|\bfetch\(|@aws-sdk|@google/
    const impure = sources.filter(
      ({ path, text }) => /^src\/(planner|agent-setup)\//.test(path) && outside.test(text),
    )
    expect(impure.map(({ path }) => path)).toEqual([])
  })
})

describe('the outside world', () => {
  it('reaches the environment only through the command line and the composition', () => {
    const readers = sources.filter(
      ({ path, text }) =>
        /process\.env\b/.test(text) && !/^src\/(cli|provisioner|standalone\/agent)\//.test(path),
    )
    expect(readers.map(({ path }) => path)).toEqual([])
  })
})
