// Runs a pool with this many VMs for a few turns and prints the memory of the whole process, in bytes. It is a separate
// process, so that the memory of other benchmarks does not count.
import { instance, startBenchPool } from './fleet-pool.ts'

const size = Number(process.argv[2])
const instances = Array.from({ length: size }, () => instance('intent'))
const pool = await startBenchPool(() => {}, instances)
pool.demand.agents = pool.instances.map(({ id }, n) => ({
  id,
  slots: 8,
  freeSlots: n % 2 ? 0 : 8,
  busy: n % 2 === 1,
  ...(n % 2 ? {} : { idleSince: Date.now() }),
  connected: true,
  enabled: true,
  draining: false,
}))
for (let turn = 0; turn < 20; turn++) {
  pool.change()
  await new Promise((resolve) => setTimeout(resolve, 100))
}
const { live, joined } = pool.fleet.status()
if (size > 0 && (live !== size || joined !== size))
  throw new Error(`${live} live and ${joined} joined of ${size}`)
console.log(process.memoryUsage().rss)
await pool.close()
process.exit(0)
