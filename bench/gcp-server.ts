// The fake Compute Engine in its own process, full of VMs: delays of its event loop must not be measured.
import { fakeGce } from '../test/support/fake-gce/server.ts'

const [count, labels] = process.argv.slice(2)
const gce = await fakeGce()
for (let n = 0; n < Number(count); n++) gce.world.foreignVm(JSON.parse(labels ?? '{}'))
process.on('disconnect', () => process.exit())
process.send?.(gce.url)
