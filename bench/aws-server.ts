// The fake EC2 in its own process, full of VMs: delays of its event loop must not be measured.
import { fakeEc2 } from '../test/support/fake-ec2/server.ts'

const [count, tags] = process.argv.slice(2)
const ec2 = await fakeEc2()
ec2.world.wholeVms = true
for (let n = 0; n < Number(count); n++) ec2.world.foreignVm(JSON.parse(tags ?? '{}'))
process.on('disconnect', () => process.exit())
process.send?.(ec2.url)
