// `npm run simulate:soak -- --worlds 10000 [--seed text] [--faults a,b] [--always a,b] [--until-broken]`: many random
// worlds, one summary line, and the
// whole story of the first that breaks a promise.
import { parseArgs } from 'node:util'
import { printFailure, runWorld } from '../src/simulator/run-world.ts'
import { type FaultKind, faultKinds, someFaults } from '../src/simulator/scenario.ts'

const { values } = parseArgs({
  options: {
    worlds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: 'soak' },
    faults: { type: 'string' },
    /** In addition to those of the seed. */
    always: { type: 'string', default: '' },
    'until-broken': { type: 'boolean', default: false },
  },
})
const [worlds, from] = [Number(values.worlds), Number(values.from)]
const kindsOf = (text: string) =>
  text.split(',').filter((kind): kind is FaultKind => faultKinds.includes(kind as FaultKind))
const chosen = values.faults === undefined ? undefined : kindsOf(values.faults)
const always = kindsOf(values.always)
const brokenBy = new Map<number, number>()
const total = { steps: 0, hours: 0, vms: 0, work: 0, broken: 0 }
const began = performance.now()
let ran = 0

for (let n = from; n < from + worlds; n++) {
  const seed = `${values.seed}-${n}`
  const report = await runWorld(seed, [...new Set([...(chosen ?? someFaults(seed)), ...always])])
  total.steps += report.steps
  total.hours += report.lasted / 3_600_000
  total.vms += report.vms
  total.work += report.workDone
  for (const { promise } of report.violations) brokenBy.set(promise, (brokenBy.get(promise) ?? 0) + 1)
  if (report.violations.length > 0) {
    if (++total.broken === 1) console.log(printFailure(report))
    else
      console.log(`world ${n} is broken, too: ${report.violations.map(({ message }) => message).join('; ')}`)
  }
  ran++
  if (total.broken > 0 && values['until-broken']) break
  if (process.stderr.isTTY)
    process.stderr.write(`\r${n - from + 1} of ${worlds} worlds, ${total.broken} broken`)
}

const list = [...brokenBy]
  .sort((a, b) => a[0] - b[0])
  .map(([promise, times]) => `promise ${promise}: ${times}`)
console.log(
  `${ran} worlds, ${total.broken} broken${list.length > 0 ? ` (${list.join(', ')})` : ''}; ` +
    `${total.steps} steps, ${Math.round(total.hours)} virtual hours, ${total.vms} VMs, ${total.work} jobs; ` +
    `${Math.round((performance.now() - began) / 1000)} s`,
)
process.exitCode = total.broken > 0 ? 1 : 0
