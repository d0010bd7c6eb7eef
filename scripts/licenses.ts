// The licences of the libraries in dist/: each text once, with its packages.
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** @param inputs files of bundles, as esbuild's metafile names them, and copied declarations */
export function licensesOf(inputs: string[], root: string): string {
  const folders = new Set(
    inputs.map((input) => packageFolder(resolve(root, input))).filter((folder) => folder),
  )
  const packagesByText = new Map<string, string[]>()
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(readFileSync(join(folder!, 'package.json'), 'utf8'))
    const text = licenseText(folder!) ?? `(${license}; no text in the package)`
    const packages = packagesByText.get(text) ?? []
    packagesByText.set(text, [...packages, `${name} ${version} (${license})`])
  }
  const parts = [...packagesByText].map(([text, packages]) => `${packages.join('\n')}\n\n${text}\n`)
  return `Libraries inside of dist/, with their licences.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** A package may be nested in another one that needs its own version. */
function packageFolder(file: string): string | undefined {
  return /^.*[/\\]node_modules[/\\](@[^/\\]+[/\\])?[^/\\]+/.exec(file)?.[0]
}

function licenseText(folder: string): string | undefined {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  return file && readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim()
}
