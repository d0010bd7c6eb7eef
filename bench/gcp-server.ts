// The fake Compute Engine in a process of its own, full of VMs: what holds up its event loop is not ours to measure.
import { fakeGce } from '../test/support/fake-gce/server.ts'

const [count, labels] = process.argv.slice(2)
const gce = await fakeGce()
for (let n = 0; n < Number(count); n++) gce.world.foreignVm(JSON.parse(labels ?? '{}'))
process.on('disconnect', () => process.exit())
process.send?.(gce.url)
