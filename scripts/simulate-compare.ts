// `npm run simulate:compare -- --worlds 1000`: our loop and that of Determined's provisioner in the same worlds, with
// the same
// checks. Prints the table of docs/internals/reliability.md: in how many worlds each promise is broken.
import { parseArgs } from 'node:util'
import { startDeterminedProvisioner } from '../src/simulator/determined-policy.ts'
import { promises } from '../src/simulator/invariants.ts'
import { runWorld, type WorldOptions } from '../src/simulator/run-world.ts'
import { someFaults } from '../src/simulator/scenario.ts'

const { values } = parseArgs({
  options: { worlds: { type: 'string', default: '1000' }, seed: { type: 'string', default: 'compare' } },
})
const worlds = Number(values.worlds)
const loops: Record<string, WorldOptions> = {
  provisioner: {},
  determined: { start: startDeterminedProvisioner },
}
const broken: Record<string, Map<number, number>> = {}
const vms: Record<string, number> = {}

for (const [name, options] of Object.entries(loops)) {
  const counts = new Map<number, number>()
  broken[name] = counts
  vms[name] = 0
  for (let n = 0; n < worlds; n++) {
    const seed = `${values.seed}-${n}`
    const report = await runWorld(seed, someFaults(seed), { ...options, continueAfterFailure: true })
    vms[name] += report.vms
    for (const promise of new Set(report.violations.map((v) => v.promise)))
      counts.set(promise, (counts.get(promise) ?? 0) + 1)
    if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${n + 1} of ${worlds} worlds `)
  }
}

console.log(`| | promise | determined | provisioner |\n|---|---|---|---|`)
for (const [number, text] of Object.entries(promises)) {
  const of = (name: string) => broken[name]!.get(Number(number)) ?? 0
  console.log(`| ${number} | ${text} | ${of('determined')} | ${of('provisioner')} |`)
}
console.log(`\nVMs launched: determined ${vms['determined']}, provisioner ${vms['provisioner']}.`)
