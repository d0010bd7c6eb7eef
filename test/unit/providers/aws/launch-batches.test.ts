// A launch in several calls: which of them are sent, whatever the order of their responses.

import type { CreateFleetRequest } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { type LaunchContext, launchInstances } from '../../../../src/providers/aws/launch.ts'
import type { LaunchStep } from '../../../../src/providers/aws/request.ts'
import type { LaunchOrder } from '../../../../src/providers/contract.ts'
import { offering } from '../../../support/cloud-pools.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const count = 2_000
const offerings = (['spot', 'on_demand'] as const).map((capacityType) =>
  offering('g5.xlarge', { zone: 'a', capacityType }),
)

/** One fleet of spot instances, then one of the others for what is missing. */
const steps = offerings.map(
  (one, index): LaunchStep => ({
    call: 'CreateFleet',
    offerings: [one],
    request: {
      ClientToken: index === 0 ? 'token' : `token-${index}`,
      LaunchTemplateConfigs: [],
      TargetCapacitySpecification: { TotalTargetCapacity: count },
    },
    template: { LaunchTemplateName: 'template', LaunchTemplateData: {} },
  }),
)

const order: LaunchOrder = {
  intent: { id: 'token', count, offerings },
  owner: { clusterId: 'c', pool: 'p', writerId: 'w' },
  userData: {} as LaunchOrder['userData'],
}

/** An EC2 that keeps what each token has launched. `fewer`: what a token gets at most; `takes`: milliseconds of a response. */
function ec2() {
  const clock = new FakeClock()
  const launched = new Map<string, string[]>()
  const sent: string[] = []
  const script = { fewer: new Map<string, number>(), takes: new Map<string, number>() }
  let ids = 0
  let open = 0
  let mostOpen = 0
  const api = {
    async createFleet({ ClientToken = '', TargetCapacitySpecification }: CreateFleetRequest) {
      sent.push(ClientToken)
      mostOpen = Math.max(mostOpen, ++open)
      const { TotalTargetCapacity: wanted = 0 } = TargetCapacitySpecification ?? {}
      const amount = Math.min(wanted, script.fewer.get(ClientToken) ?? wanted)
      const known = launched.get(ClientToken) ?? Array.from({ length: amount }, () => `i-${++ids}`)
      launched.set(ClientToken, known)
      await clock.sleep(script.takes.get(ClientToken) ?? 100)
      open--
      const Errors = amount < wanted ? [{ ErrorCode: 'InsufficientInstanceCapacity' }] : []
      return { Instances: [{ InstanceIds: known }], Errors }
    },
  }
  const context = {
    api: api as unknown as LaunchContext['api'],
    clock,
    templates: { ensure: async () => {}, forget: () => {} },
    launchTurn: async () => {},
    prepare: async () => ({ region: 'r', steps, problems: [] }),
  }
  async function launch() {
    const result = launchInstances(order, context)
    await clock.advance(60_000)
    return result
  }
  const total = () => [...launched.values()].flat().length
  return { launch, script, sent, total, mostOpen: () => mostOpen }
}

describe('a launch in several calls', () => {
  it.each([0, 1, 2, 3])(
    'launches nothing more when it is repeated, whichever response was late (%i)',
    async (late) => {
      for (const short of [0, 1, 2, 3]) {
        const { launch, script, total, mostOpen } = ec2()
        const tokenOf = (part: number) => (part === 0 ? 'token' : `token-part${part}`)
        script.fewer.set(tokenOf(short), 300)
        script.takes.set(tokenOf(late), 30_000)
        await launch()
        expect(total()).toBe(count)
        script.takes.clear()
        for (let part = 0; part < 4; part++) script.takes.set(tokenOf(part), 100 + part)
        await launch()
        expect([short, total()]).toEqual([short, count])
        expect(mostOpen()).toBeLessThanOrEqual(2)
      }
    },
  )

  it('sends at most one call after one that fell short', async () => {
    const { launch, script, sent } = ec2()
    script.fewer.set('token', 300)
    await launch()
    expect(sent.filter((token) => !token.startsWith('token-1'))).toEqual(['token', 'token-part1'])
  })
})
