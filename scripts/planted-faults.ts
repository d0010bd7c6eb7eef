// `npm run simulate:planted -- [--worlds 300] [--only text]`: plants each fault in a copy of the sources and looks for
// a world
// in which a promise is broken. Prints the table of docs/internals/reliability.md; fails when a fault goes unnoticed.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type PlantedFault, plantedFaults } from './planted-faults/faults.ts'

const { values } = parseArgs({
  options: { worlds: { type: 'string', default: '300' }, only: { type: 'string', default: '' } },
})
const root = resolve(import.meta.dirname, '..')

/** Throws when the sources have changed so that the fault can no longer be planted. */
function plant(folder: string, { name, edits }: PlantedFault): void {
  for (const { file, find, replace } of edits) {
    const path = join(folder, 'src', file)
    const parts = readFileSync(path, 'utf8').split(find)
    if (parts.length !== 2)
      throw new Error(`"${name}": its text stands in src/${file} ${parts.length - 1} times, not once`)
    writeFileSync(path, parts.join(replace))
  }
}

/** The last line of a soak over the planted sources. */
function soak(fault: PlantedFault): string {
  const folder = mkdtempSync(join(tmpdir(), 'planted-'))
  try {
    for (const part of ['src', 'scripts', 'package.json'])
      cpSync(join(root, part), join(folder, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    plant(folder, fault)
    const args = [
      'scripts/simulate-soak.ts',
      '--worlds',
      values.worlds,
      '--seed',
      'planted',
      '--until-broken',
      ...(fault.always ? ['--always', fault.always.join(',')] : []),
    ]
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 1e8,
    })
    const last = stdout.trimEnd().split('\n').at(-1)
    if (!last) throw new Error(`the planted program did not run: ${stderr}`)
    return last
  } finally {
    rmSync(folder, { recursive: true })
  }
}

let unnoticed = 0
console.log('| planted fault | what it does | broken promise | seen in world |\n|---|---|---|---|')
for (const fault of plantedFaults.filter(({ name }) => name.includes(values.only))) {
  const summary = soak(fault)
  const [, ran, broken, promises = ''] = /^(\d+) worlds, (\d+) broken(?: \((.*)\))?;/.exec(summary) ?? []
  const numbers = [...promises.matchAll(/promise (\d+)/g)].map(([, number]) => number)
  if (broken !== '1') unnoticed++
  console.log(
    `| ${fault.name} | ${fault.does} | ${numbers.join(', ') || '**none**'} | ${broken === '1' ? ran : '**none**'} |`,
  )
}
if (unnoticed > 0) {
  console.error(`${unnoticed} planted faults go unnoticed`)
  process.exitCode = 1
}
