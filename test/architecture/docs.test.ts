// The pages match the repository: links work, and the files, codes and commands they name exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, sourcesBelow } from '../support/sources.ts'

const pages = ['README.md', 'CHANGELOG.md', ...below('docs'), ...below('examples'), ...below('images')]
const read = (page: string) => readFileSync(join(root, page), 'utf8')
/** All files except the pages, and this test. */
const sources = ['src', 'scripts', 'templates', 'images', 'test']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && /\.(ts|sh|hbs)$|^Containerfile$/.test(entry.name),
    ),
  )
  .filter(({ parentPath }) => parentPath !== import.meta.dirname)
  .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  .join('\n')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

function below(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
}

/** The anchors that GitHub creates for headings. */
function anchorsOf(page: string): string[] {
  const headings = read(page)
    .replace(/^```.*?^```/gms, '')
    .matchAll(/^#+ (.*)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function brokenLinks(page: string): string[] {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
  return links.filter((link) => {
    if (/^https?:/.test(link)) return false
    const [path, anchor] = link.split('#')
    const target = path ? posix.join(dirname(page), path) : page
    return !existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(target).includes(anchor))
  })
}

/** Files of the repository that a page names in backticks; words in capitals are placeholders. */
function missingFiles(page: string): string[] {
  const named = [
    ...read(page).matchAll(/`((?:src|test|docs|examples|images|scripts|templates)\/[^`\s*<]+)`/g),
  ]
  return named.map(([, path]) => path!).filter((path) => !/NAME/.test(path) && !existsSync(join(root, path)))
}

/** Variables of other programs that no source reads. */
const foreign = ['AWS_PROFILE', 'DET_USER', 'DET_USER_TOKEN', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE']

/** Codes, variables and the like. */
function unknownWords(page: string): string[] {
  const names = [...read(page).matchAll(/\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b/g)].map(([name]) => name)
  return [...new Set(names)].filter((name) => !foreign.includes(name) && !sources.includes(name))
}

/** Files of commands that have commands of their own. */
const groups = {
  trust: '/trust.ts',
  user: '/users.ts',
  state: '/state.ts',
  'agents-ca': '/agents-ca.ts',
}
const declared = sourcesBelow('src/cli').filter(
  ({ path }) => !Object.values(groups).some((file) => path.endsWith(file)),
)
const commands = [
  ...Object.keys(groups),
  ...declared.flatMap(({ text }) => [...text.matchAll(/\.command\(\s*'([a-z]+)'/g)].map(([, name]) => name!)),
]

/** Commands after a backtick, or at the start of a console line. */
function unknownCommands(page: string): string[] {
  const named = read(page).matchAll(/(?:`|^ *\$ |^ *npx )(?:npx )?provision ([a-z]+)/gm)
  return [...named].map(([, name]) => name!).filter((name) => name !== 'help' && !commands.includes(name))
}

describe.each(pages)('%s', (page) => {
  it('has working links, and names only existing things', () => {
    const runs = [...read(page).matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name!)
    expect([
      ...brokenLinks(page),
      ...missingFiles(page),
      ...unknownWords(page),
      ...unknownCommands(page),
      ...runs.filter((name) => !(name in scripts)),
    ]).toEqual([])
  })
})

describe('the index of the pages', () => {
  it('is linked from README.md and links to every page', () => {
    expect(read('README.md')).toContain('(docs/README.md)')
    const index = read('docs/README.md')
    const others = pages.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
    expect(others.filter((page) => !index.includes(`(${page.replace('docs/', '')})`))).toEqual([])
  })

  it('links to a table of every command', () => {
    expect(commands.length).toBeGreaterThan(15)
    const [, table = ''] = /^## Commands\n(.*?)^## /ms.exec(read('docs/commands.md')) ?? []
    const missing = commands.filter((name) => !new RegExp(`\`(provision )?${name}\``).test(table))
    expect(missing).toEqual([])
  })
})

describe('docs/internals/adding-a-provider.md', () => {
  it.each([
    ['src/config/provider.ts', 'ProviderBlock'],
    ['src/providers/definition.ts', 'ProviderDefinition'],
    ['src/providers/contract.ts', 'Provider'],
  ])('names every member of %s, %s', (file, name) => {
    const [, body = ''] =
      new RegExp(`^export interface ${name}\\b[^{]*\\{\n(.*?)^\\}`, 'ms').exec(read(file)) ?? []
    const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member]) => member!)
    expect(members.length).toBeGreaterThan(6)
    const page = read('docs/internals/adding-a-provider.md')
    expect(members.filter((member) => !page.includes(`\`${member}\``))).toEqual([])
  })
})

describe('the API endpoints', () => {
  it('of a running provisioner are in docs/operate/control.md', () => {
    const [routes] = sourcesBelow('src/http').filter(({ path }) => path.endsWith('/fleet-endpoints.ts'))
    const paths = [...routes!.text.matchAll(/'(\/v1\/[^']+)'/g)].map(([, path]) =>
      path!.replace(/:(\w+)/g, '{$1}'),
    )
    expect(paths.length).toBeGreaterThan(8)
    expect(paths.filter((path) => !read('docs/operate/control.md').includes(path))).toEqual([])
  })

  it('of the built-in master are in docs/master.md', () => {
    const paths = sourcesBelow('src/standalone/master').flatMap(({ text }) =>
      [...text.matchAll(/path: '(\/[^']+)'/g)].map(([, path]) => path!.replace(/:\w+/g, 'ID')),
    )
    expect(paths.length).toBeGreaterThan(12)
    expect(paths.filter((path) => !read('docs/master.md').includes(path))).toEqual([])
  })
})
