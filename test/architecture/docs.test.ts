// The pages keep up with the repository: links lead somewhere, and what can be asked for is named.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, sourcesBelow } from '../support/sources.ts'

const pages = ['README.md', 'CHANGELOG.md', ...below('docs'), ...below('examples'), ...below('images')]
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

function below(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
}

/** As GitHub makes them of the headings. */
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

/** Files of the repository that a page names in backticks; words in capitals stand for a name of the reader's. */
function missingFiles(page: string): string[] {
  const named = [
    ...read(page).matchAll(/`((?:src|test|docs|examples|images|scripts|templates)\/[^`\s*<]+)`/g),
  ]
  return named.map(([, path]) => path!).filter((path) => !/NAME/.test(path) && !existsSync(join(root, path)))
}

describe.each(pages)('%s', (page) => {
  it('links to, and names, what is there', () => {
    const runs = [...read(page).matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name!)
    expect([
      ...brokenLinks(page),
      ...missingFiles(page),
      ...runs.filter((name) => !(name in scripts)),
    ]).toEqual([])
  })
})

describe('README.md', () => {
  it('leads to every page', () => {
    const readme = read('README.md')
    expect(pages.filter((page) => page.startsWith('docs/') && !readme.includes(`(${page})`))).toEqual([])
  })

  it('names every command in its table', () => {
    const declared = sourcesBelow('src/cli/program').filter(({ path }) => !path.endsWith('/trust.ts'))
    const commands = declared.flatMap(({ text }) =>
      [...text.matchAll(/\.command\('([a-z]+)'/g)].map(([, name]) => name!),
    )
    expect(commands.length).toBeGreaterThan(15)
    const [, table = ''] = /^## Commands\n(.*?)^## /ms.exec(read('README.md')) ?? []
    const missing = [...commands, 'trust'].filter(
      (name) => !new RegExp(`\`(provision )?${name}\``).test(table),
    )
    expect(missing).toEqual([])
  })
})

describe('the doors', () => {
  it('of a running provisioner are in docs/control.md', () => {
    const [routes] = sourcesBelow('src/app/control').filter(({ path }) => path.endsWith('/routes.ts'))
    const paths = [...routes!.text.matchAll(/'(\/v1\/[^']+)'/g)].map(([, path]) =>
      path!.replace(/:(\w+)/g, '{$1}'),
    )
    expect(paths.length).toBeGreaterThan(8)
    expect(paths.filter((path) => !read('docs/control.md').includes(path))).toEqual([])
  })

  it('of the built-in master are in docs/master.md', () => {
    const paths = sourcesBelow('src/master/rest').flatMap(({ text }) =>
      [...text.matchAll(/path: '([^']+)'/g)].map(([, path]) => path!.replace(/:\w+/g, 'ID')),
    )
    expect(paths.length).toBeGreaterThan(12)
    expect(paths.filter((path) => !read('docs/master.md').includes(path))).toEqual([])
  })
})
