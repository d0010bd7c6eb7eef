// The fake EC2 in its own process, so that delays of its event loop are not measured, and its memory neither: instances
// as verbose as real ones, as many as are asked for. Any message is answered with what it has and the calls so far.
import { fakeEc2 } from '../test/support/fake-ec2/server.ts'
import { isGone } from '../test/support/fake-ec2/world.ts'

/** Calls by action. */
export type CallCounts = Record<string, number>

export interface CloudState {
  /** All that were launched, and those of them whose termination was asked for. */
  instances: number
  terminated: number
  /** Since the start. */
  calls: CallCounts
}

/** `latency` is in milliseconds, before each answer. */
const [count, tags, latency] = process.argv.slice(2)
const ec2 = await fakeEc2()
ec2.world.wholeVms = true
ec2.latency = Number(latency ?? 0)
for (let n = 0; n < Number(count); n++) ec2.world.foreignVm(JSON.parse(tags ?? '{}'))
const calls: CallCounts = {}

process.on('message', () => {
  // The parameters of every call are large.
  for (const { action } of ec2.calls.splice(0)) calls[action] = (calls[action] ?? 0) + 1
  const terminated = [...ec2.world.vms.values()].filter(isGone).length
  process.send?.({ instances: ec2.world.vms.size, terminated, calls } satisfies CloudState)
})
process.on('disconnect', () => process.exit())
process.send?.(ec2.url)
