// `npm run bench [name …]`: measures, prints, and writes docs/internals/performance.md when everything was measured.
import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { adversarial } from './adversarial.ts'
import { agents } from './agents.ts'
import { coldStart } from './cold-start.ts'
import { daemonCosts } from './daemon.ts'
import { daemonPools } from './daemon-pools.ts'
import { daemonTerminations } from './daemon-terminations.ts'
import { fleetCosts } from './fleet.ts'
import { jobOutput } from './job-output.ts'
import { joinCosts } from './joins.ts'
import { localAgents } from './local-agents.ts'
import type { Report, Row } from './measure.ts'
import { planTimes } from './plan.ts'
import { sharedCosts } from './shared.ts'
import { stateCosts } from './state.ts'
import { userData } from './user-data.ts'

const benchmarks: Record<string, () => Promise<Report>> = {
  'cold-start': coldStart,
  'user-data': userData,
  plan: planTimes,
  adversarial,
  fleet: fleetCosts,
  daemon: daemonCosts,
  'daemon-pools': daemonPools,
  'daemon-terminations': daemonTerminations,
  // Loaded on demand, because an SDK takes time to load.
  aws: async () => (await import('./aws.ts')).awsCosts(),
  gcp: async () => (await import('./gcp.ts')).gcpCosts(),
  agents,
  'local-agents': localAgents,
  state: stateCosts,
  shared: sharedCosts,
  'job-output': jobOutput,
  joins: joinCosts,
}

function line({ what, measured, budget, met }: Row): string {
  return `| ${what} | ${measured} | ${budget} | ${met === undefined ? '' : met ? 'yes' : '**no**'} |`
}

function section({ title, command, rows, notes = [] }: Report): string {
  const table = ['| what | measured | budget | met |', '|---|---|---|---|', ...rows.map(line)]
  return [`## ${title}`, '', `\`${command}\``, '', ...table, '', ...notes.flatMap((note) => [note, ''])].join(
    '\n',
  )
}

const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`
const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !Object.hasOwn(benchmarks, name))
if (unknown !== undefined) {
  console.error(`unknown benchmark: ${unknown}; there are ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}
const sections: string[] = []
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const text = section(await run())
  console.log(text)
  sections.push(text)
}
const page = `# Performance

\`npm run bench\` measures and writes this page. Times are medians; the ratios matter, which come from one run.

Machine: ${machine}.

${sections.join('\n')}`
if (wanted.length === 0) writeFileSync(join(import.meta.dirname, '../docs/internals/performance.md'), page)
