// Who may import whom. A failure prints the row that forbids it.
import { describe, expect, it } from 'vitest'
import { type SourceFile, sourcesBelow, target } from '../support/sources.ts'

const contracts = ['src/providers/provider.ts', 'src/demand/demand.ts']

/** Own folder is always allowed. The first row whose `from` starts the path counts. */
const table: { from: string; may: string[] }[] = [
  { from: 'src/model/', may: [] },
  { from: 'src/platform/', may: ['src/model/'] },
  { from: 'src/protocol/', may: ['src/model/'] },
  { from: 'src/planner/', may: ['src/model/'] },
  { from: 'src/userdata/', may: ['src/model/'] },
  { from: 'src/config/', may: ['src/model/', 'src/platform/'] },
  { from: 'src/tls/', may: ['src/model/', 'src/platform/'] },
  { from: 'src/telemetry/', may: ['src/model/', 'src/platform/'] },
  { from: 'src/providers/registry.ts', may: ['src/model/', 'src/providers/'] },
  { from: 'src/providers/provider.ts', may: ['src/model/'] },
  { from: 'src/providers/aws/', may: ['src/model/', 'src/platform/', 'src/providers/provider.ts'] },
  { from: 'src/providers/gcp/', may: ['src/model/', 'src/platform/', 'src/providers/provider.ts'] },
  { from: 'src/providers/local/', may: ['src/model/', 'src/platform/', 'src/providers/provider.ts'] },
  { from: 'src/providers/simulated/', may: ['src/model/', 'src/platform/', 'src/providers/provider.ts'] },
  { from: 'src/demand/demand.ts', may: ['src/model/'] },
  {
    from: 'src/demand/',
    may: ['src/model/', 'src/platform/', 'src/demand/demand.ts', 'src/tls/', 'src/config/yaml-reader.ts'],
  },
  { from: 'src/fleet/', may: ['src/model/', 'src/platform/', 'src/planner/', ...contracts] },
  {
    from: 'src/simulation/',
    may: ['src/model/', 'src/planner/', 'src/fleet/', 'src/providers/simulated/', ...contracts],
  },
  { from: 'src/master/', may: ['src/model/', 'src/platform/', 'src/protocol/', 'src/tls/'] },
  {
    from: 'src/agent/',
    may: ['src/model/', 'src/platform/', 'src/protocol/', 'src/tls/', 'src/config/yaml-reader.ts'],
  },
  { from: 'src/server/', may: ['src/model/', 'src/platform/', 'src/protocol/', 'src/tls/'] },
  { from: 'src/client/', may: ['src/model/', 'src/platform/', 'src/tls/'] },
  {
    from: 'src/app/',
    may: [
      'src/model/',
      'src/platform/',
      'src/protocol/',
      'src/config/',
      'src/tls/',
      'src/userdata/',
      'src/planner/',
      'src/fleet/',
      'src/providers/',
      'src/demand/',
      'src/simulation/',
      'src/master/',
      'src/server/',
      'src/agent/',
      'src/telemetry/',
      'src/client/',
    ],
  },
  {
    from: 'src/cli/',
    may: [
      'src/app/',
      'src/client/',
      'src/config/',
      'src/tls/',
      'src/userdata/',
      'src/model/',
      'src/providers/aws/request.ts',
      'src/providers/gcp/request.ts',
      'src/providers/local/request.ts',
    ],
  },
  { from: 'src/index.ts', may: ['src/app/', 'src/model/', ...contracts] },
]

/** One owner per library; zod may also guard any other outer boundary. */
const owners: Record<string, string[]> = {
  yaml: ['src/config/yaml-'],
  zod: [
    'src/config/',
    'src/master/',
    'src/server/',
    'src/demand/',
    'src/client/',
    'src/app/snapshot-file',
    'src/app/control/',
  ],
  handlebars: ['src/userdata/'],
  ws: ['src/protocol/'],
  commander: ['src/cli/'],
  '@aws-sdk/client-ec2': ['src/providers/aws/'],
  '@google-cloud/compute': ['src/providers/gcp/'],
  'google-gax': ['src/providers/gcp/'],
  '@peculiar/x509': ['src/tls/'],
  'prom-client': ['src/telemetry/'],
  'reflect-metadata': ['src/tls/'],
}

function rowOf(path: string) {
  return table.find((row) => path.startsWith(row.from))
}

function forbidden(file: SourceFile): string[] {
  const row = rowOf(file.path)
  if (!row) return [`${file.path} lies in no folder of the table`]
  return file.imports.flatMap(({ specifier }) => {
    const to = target(file, specifier)
    if (to === undefined) return foreign(file, specifier)
    if (to === 'package.json') return []
    const allowed =
      (row.from.endsWith('/') && to.startsWith(row.from)) || row.may.some((p) => to.startsWith(p))
    return allowed
      ? []
      : [`${file.path} imports ${to}; ${row.from} may import ${row.may.join(', ') || 'nothing of ours'}`]
  })
}

function foreign(file: SourceFile, specifier: string): string[] {
  if (specifier.startsWith('node:')) return []
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const owner = owners[name]
  if (!owner) return [`${file.path} imports ${name}, which has no owner in the table`]
  return owner.some((path) => file.path.startsWith(path))
    ? []
    : [`${file.path} imports ${name}; it belongs to ${owner}`]
}

const sources = sourcesBelow('src')

describe('import directions', () => {
  it('follow the table', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(sources.flatMap(forbidden)).toEqual([])
  })

  it('notice an import the table forbids', () => {
    const bad: SourceFile = {
      path: 'src/model/bad.ts',
      text: '',
      imports: [{ specifier: '../tls/trust.ts', dynamic: false, typeOnly: false }],
    }
    expect(forbidden(bad)).toHaveLength(1)
  })

  it('keep every SDK out of request builders but for its types', () => {
    const builders = sources.filter((file) => /^src\/providers\/\w+\/request/.test(file.path))
    const loads = builders.flatMap((file) =>
      file.imports
        .filter((i) => !i.typeOnly && !/^(\.|node:)/.test(i.specifier))
        .map((i) => `${file.path}: ${i.specifier}`),
    )
    expect(loads).toEqual([])
  })

  it('let the command line load the application only when it is needed', () => {
    const eager = sources
      .filter((file) => file.path.startsWith('src/cli/'))
      .flatMap((file) =>
        file.imports
          .filter((i) => !i.dynamic && !i.typeOnly && target(file, i.specifier)?.startsWith('src/app/'))
          .map((i) => `${file.path}: ${i.specifier}`),
      )
    expect(eager).toEqual([])
  })
})

describe('the outside world', () => {
  it('reaches the environment only through the command line and the application', () => {
    const readers = sources
      .filter((file) => /process\.env\b/.test(file.text) && !/^src\/(cli|app)\//.test(file.path))
      .map((file) => file.path)
    expect(readers).toEqual([])
  })
})
