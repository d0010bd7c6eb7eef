// What a command costs a person who waits for it: the built command line, against a bare start of Node in the same run.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interleaved, type Report, type Times } from './measure.ts'

const root = join(import.meta.dirname, '..')
const cli = join(root, 'dist/cli.cjs')
const budget = 2.7
const runs = 15

export async function coldStart(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'cold-start-'))
  try {
    const config = join(folder, 'master.yaml')
    cpSync(join(root, 'examples/local/master.yaml'), config)
    const names = ['--name', 'master.local.example', '--ip', '127.0.0.1', '--out', join(folder, 'certs')]
    execFileSync(process.execPath, [cli, 'certs', ...names], { stdio: 'ignore' })
    return reportOf(config)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function reportOf(config: string): Report {
  const commands: [what: string, command: string[], limit?: number][] = [
    ['node -e 0', [process.execPath, '-e', '0']],
    ['provision --dry-run', [process.execPath, cli, '--dry-run', '-c', config], budget],
    ['provision validate', [process.execPath, cli, 'validate', '-c', config], 3],
    ['provision --version', [process.execPath, cli, '--version']],
    ['./provision --version', [join(root, 'provision'), '--version']],
  ]
  const times = interleaved(
    commands.map(([, command]) => command),
    runs,
  )
  const bare = times[0]!
  const ratio = (part: number, whole: number) => (part / whole).toFixed(2)
  const cpuOf = ({ cpu }: Times) =>
    cpu === undefined || bare.cpu === undefined
      ? ''
      : `; processor ${ratio(cpu, bare.cpu)} × (${cpu.toFixed(0)} ms)`
  return {
    title: 'Cold start',
    command: 'npm run bench cold-start',
    rows: commands.map(([what, , limit], n) => {
      const { wall } = times[n]!
      return {
        what,
        measured: `${ratio(wall, bare.wall)} × bare node (${wall.toFixed(0)} ms)${cpuOf(times[n]!)}`,
        budget: limit ? `${limit} ×` : '',
        met: limit ? wall / bare.wall <= limit : undefined,
      }
    }),
    notes: [
      `The built command line. Wall time: median of ${runs} runs in turn; processor time: their mean. The code of each command is kept (~/.cache/provision), as it is from the second run on.`,
    ],
  }
}
