// Rooms and their imports: a room imports only rooms in rows above it, through their index.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, type SourceFile, sourcesBelow, target } from '../support/sources.ts'

/** Each room imports only rooms of earlier rows. */
const rows = [
  ['problems'],
  ['platform', 'planner'],
  ['pki'],
  ['config'],
  ['agent-setup'],
  ['providers', 'demand', 'state'],
  ['rollout'],
  ['fleet'],
  ['http'],
  ['standalone', 'join'],
  ['provisioner'],
  ['simulator'],
  ['cli', 'index.ts', 'testing'],
]
const levelOf = new Map(rows.flatMap((row, level) => row.map((room) => [room, level] as const)))
const rooms = [...levelOf.keys()].filter((room) => !['cli', 'index.ts', 'testing'].includes(room))

/** Each library belongs to one room; zod may be used at any outer boundary. */
const owners: Record<string, RegExp> = {
  '@aws-sdk/client-ec2': /^src\/providers\/aws\//,
  '@aws-sdk/client-sts': /^src\/providers\/aws\//,
  '@aws-sdk/core': /^src\/providers\/aws\//,
  '@google-cloud/compute': /^src\/providers\/gcp\//,
  '@peculiar/x509': /^src\/pki\//,
  commander: /^src\/cli\//,
  croner: /^src\/platform\//,
  'csv-parse': /^src\/simulator\//,
  'google-gax': /^src\/providers\/gcp\//,
  handlebars: /^src\/agent-setup\//,
  pg: /^src\/state\/postgres\//,
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

/** Groups of files that import each other in a circle of any length. */
function circles(files: SourceFile[]): string[][] {
  const reach = new Map<string, Set<string>>()
  const next = new Map(files.map((file) => [file.path, own(file)]))
  const from = (start: string): Set<string> => {
    const visited = new Set<string>()
    const open = [start]
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for (const to of next.get(at) ?? []) if (!visited.has(to) && visited.add(to)) open.push(to)
    return visited
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

  it('import only rooms above them, through their entry files', () => {
    expect(sources.flatMap(forbidden)).toEqual([])
  })

  it('own their libraries', () => {
    expect(sources.flatMap(foreign)).toEqual([])
  })

  it('have at most 45 files, where each provider counts by itself: another one needs no room', () => {
    const counts = new Map<string, number>()
    for (const { path } of sources) {
      const room = /^src\/providers\/[^/]+(?=\/)/.exec(path)?.[0] ?? roomOf(path)
      counts.set(room, (counts.get(room) ?? 0) + 1)
    }
    expect([...counts].filter(([, count]) => count > 45)).toEqual([])
  })

  it('have an entry file with three comment lines: purpose, imports, and where to start', () => {
    const mute = rooms.filter(
      (room) => !/^(\/\/ .+\n){3}/.test(readFileSync(join(root, `src/${room}/index.ts`), 'utf8')),
    )
    expect(mute).toEqual([])
  })

  it('have no import circle of more than two files', () => {
    expect(circles(sources).filter((group) => group.length > 2)).toEqual([])
  })

  it('that are pure use no clock, network, environment or SDK', () => {
    const outside =
      /\bprocess\.[a-z]|Date\.now|new Date\(\)|Math\.random|node:(net|tls|https?|dns|child_process)|\bfetch\(|@aws-sdk|@google/
    const impure = sources.filter(
      ({ path, text }) => /^src\/(planner|agent-setup)\//.test(path) && outside.test(text),
    )
    expect(impure.map(({ path }) => path)).toEqual([])
  })
})

describe('the state', () => {
  it('is reached only through its port: no other room knows a file of it', () => {
    const files =
      /master\.journal|\.journal`|decisions\.jsonl|\bjoin\([^)\n]*['"`](?:fleet|logs|lock|cluster-id|writer-id|incarnations)['"`]/
    const others = sources.filter(
      ({ path, text }) => !path.startsWith('src/state/') && files.test(code(text)),
    )
    expect(others.map(({ path }) => path)).toEqual([])
  })
})

/** Without comments. */
function code(text: string): string {
  return text.replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, '')
}

describe('the outside world', () => {
  it('the environment is read only by the command line and the composition', () => {
    const readers = sources.filter(
      ({ path, text }) =>
        /process\.env\b/.test(text) && !/^src\/(cli|provisioner|standalone\/agent)\//.test(path),
    )
    expect(readers.map(({ path }) => path)).toEqual([])
  })
})
