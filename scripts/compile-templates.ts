// Compiles templates/ into templates.generated.ts of agent-setup and of providers, so that printing user data needs no
// template compiler.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import Handlebars from 'handlebars'
import { compileOptions } from '../src/agent-setup/template-options.ts'

const root = join(import.meta.dirname, '..')

function compileFolder(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.hbs'))
    .sort()
    .map((file) => {
      const source = readFileSync(join(root, folder, file), 'utf8')
      return `  ${JSON.stringify(basename(file, '.hbs'))}: ${Handlebars.precompile(source, compileOptions)},`
    })
}

/** One constant for each folder of templates, by their names. */
function write(room: string, constants: Record<string, string>): void {
  const lines = Object.entries(constants).flatMap(([name, folder]) => [
    `export const ${name}: Record<string, unknown> = {`,
    ...compileFolder(folder),
    '}',
  ])
  mkdirSync(join(root, 'src', room), { recursive: true })
  writeFileSync(
    join(root, 'src', room, 'templates.generated.ts'),
    [
      '// Made from templates/ by scripts/compile-templates.ts; edit those.',
      '// @ts-nocheck',
      ...lines,
      '',
    ].join('\n'),
  )
}

write('agent-setup', { mainTemplates: 'templates', partials: 'templates/partials' })
write('providers', { machinePartials: 'templates/providers', proofPartials: 'templates/proofs' })
