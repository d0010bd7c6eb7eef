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

/** With the notices beside it, which the Apache licence demands. Some packages have it only in their README. */
function licenseText(folder: string): string | undefined {
  const files = readdirSync(folder).sort()
  const read = (name: RegExp) =>
    files
      .filter((entry) => name.test(entry))
      .map((entry) => readFileSync(join(folder, entry), 'utf8').replaceAll('\r\n', '\n').trim())
  const [license] = [...read(/^(licen[cs]e|copying)/i), ...read(/^readme/i).flatMap(licenseSection)]
  const texts = [license ?? [], ...read(/^(copyright)?notice/i)].flat()
  return texts.length > 0 ? texts.join('\n\n') : undefined
}

/** The text below a heading `License`, in either of Markdown's forms, up to the next heading or link definition. */
function licenseSection(readme: string): string[] {
  const [, text = ''] =
    /^(?:#+ *licen[cs]e *|licen[cs]e *\n[-=]+ *)\n([\s\S]*?)(?=\n#+ |\n.+\n[-=]{3,} *\n|\n\[[^\]]+\]: |$(?![\s\S]))/im.exec(
      readme,
    ) ?? []
  return text.trim() ? [text.trim()] : []
}
