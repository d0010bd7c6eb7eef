// Turns templates/ into src/agent-setup/templates.generated.ts, so that printing user data loads no template compiler.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import Handlebars from 'handlebars'
import { compileOptions } from '../src/agent-setup/templates.ts'

const root = join(import.meta.dirname, '..')
const target = join(root, 'src/agent-setup/templates.generated.ts')

function compileFolder(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.hbs'))
    .sort()
    .map((file) => {
      const source = readFileSync(join(root, folder, file), 'utf8')
      return `  ${JSON.stringify(basename(file, '.hbs'))}: ${Handlebars.precompile(source, compileOptions)},`
    })
}

const text = [
  '// Made from templates/ by scripts/compile-templates.ts; edit those.',
  '// @ts-nocheck',
  'export const mainTemplates: Record<string, unknown> = {',
  ...compileFolder('templates'),
  '}',
  'export const partials: Record<string, unknown> = {',
  ...compileFolder('templates/partials'),
  '}',
  '',
].join('\n')
mkdirSync(join(root, 'src/agent-setup'), { recursive: true })
writeFileSync(target, text)
