// The licences of the libraries that are inside the bundles.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

function packageOf(input: string): string | undefined {
  const rest = input.split('node_modules/').at(-1)
  if (!input.includes('node_modules/') || !rest) return undefined
  return rest
    .split('/')
    .slice(0, rest.startsWith('@') ? 2 : 1)
    .join('/')
}

/** @param inputs files of a bundle, as esbuild's metafile names them */
export function licensesOf(inputs: string[], root: string): string {
  const names = new Set(inputs.map(packageOf).filter((name) => name !== undefined))
  const texts = [...names].sort().map((name) => {
    const folder = join(root, 'node_modules', name)
    const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file
      ? readFileSync(join(folder, file), 'utf8').trim()
      : `(${about.license}; no text in the package)`
    return `${name} (${about.license})\n\n${text}\n`
  })
  return `Libraries inside the bundles of dist/, with their licences.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}
