// The time of a dry run for a person who waits for it, compared with a bare start of Node.
import { join } from 'node:path'
import { interleaved, type Report } from './measure.ts'

const root = join(import.meta.dirname, '..')
const budget = 2.7

export async function coldStart(): Promise<Report> {
  const cli = join(root, 'dist/cli.cjs')
  const config = join(root, 'examples/local/master.yaml')
  const [bare, dryRun, version] = interleaved(
    [
      ['-e', '0'],
      [cli, '--dry-run', '-c', config],
      [cli, '--version'],
    ],
    15,
  ) as [number, number, number]
  const row = (what: string, ms: number, limit?: number) => ({
    what,
    measured: `${(ms / bare).toFixed(2)} × bare node (${ms.toFixed(0)} ms)`,
    budget: limit ? `${limit} ×` : '',
    met: limit ? ms / bare <= limit : undefined,
  })
  return {
    title: 'Cold start',
    command: 'npm run bench cold-start',
    rows: [
      row('node -e 0', bare),
      row('provision --dry-run', dryRun, budget),
      row('provision --version', version),
    ],
    notes: ['Median of 15 runs in turn; the compile cache is warm, as it is from the second run on.'],
  }
}
