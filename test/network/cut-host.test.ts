// All links of a host are cut without a sign, for half a minute: the other one leads its pools within seconds, the one that was cut off
// changes nothing until it is back, and then decides within seconds, whatever its open connections wait for.
import { afterAll, beforeAll, it } from 'vitest'
import { type CutCluster, cutCluster } from './cut-cluster.ts'
import { type CutTimes, cutOff } from './cut-off.ts'
import { reportSeconds } from './figures.ts'

/** How often it is cut. */
const times = Number(process.env['NETWORK_TIMES'] ?? 1)
/** Milliseconds: what was sent at the start is repeated by TCP after some 25 s, and then not before another 25 s have passed. */
const cutMs = Number(process.env['NETWORK_CUT_SECONDS'] ?? 32) * 1000

let cut: CutCluster
beforeAll(async () => {
  cut = await cutCluster(0)
})
afterAll(() => cut?.dispose())

it('a host that is cut off from everything', async () => {
  const all: CutTimes[] = []
  for (let n = 0; n < times; n++) all.push(await cutOff(cut, ['cloud', 'database'], cutMs))
  reportSeconds(
    'cut off from everything: launch by the other one after',
    all.map(({ took }) => took),
  )
  reportSeconds(
    'back from everything: launch by it after',
    all.map(({ back }) => back),
  )
})
