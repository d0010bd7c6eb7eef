// The harness of the provider contract for the fake EC2, for fleets and for RunInstances.
import type { Offering } from '../../src/planner/snapshot.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import {
  type Ability,
  abilities,
  optionalAbilities,
  type ProviderHarness,
  type ProviderSubject,
} from '../../src/testing/provider-harness.ts'
import { awsCloud, bothTypes } from './aws-cloud.ts'
import type { Exchange } from './fake-ec2/server.ts'

const nameOf = ({ capacityType, instanceType, zone }: Offering) => `${capacityType}/${instanceType}/${zone}`

type Record = (exchange: Exchange) => void

/** All abilities, with fleets, but no placement groups. */
export function awsFleets(record?: Record): ProviderSubject {
  return subject(
    bothTypes,
    [...abilities, ...optionalAbilities].filter((each) => each !== 'gangs'),
    record,
  )
}

/** RunInstances launches fewer than requested without an error, and has no second offering. Gangs get a placement group. */
export function awsRunInstances(record?: Record): ProviderSubject {
  const can = [...abilities, ...optionalAbilities]
  return subject(
    bothTypes.slice(0, 1),
    can.filter((each) => each !== 'partial_launch' && each !== 'capacity_errors'),
    record,
    { placement_group: 'per_gang' },
  )
}

function subject(
  offerings: Offering[],
  can: readonly Ability[],
  record?: Record,
  config: Partial<AwsConfig> = {},
): ProviderSubject {
  return { can, open: () => openHarness(offerings, config, record) }
}

async function openHarness(
  offerings: Offering[],
  config: Partial<AwsConfig>,
  record?: Record,
): Promise<ProviderHarness> {
  const cloud = await awsCloud()
  if (record) cloud.ec2.record = record
  const { world } = cloud.ec2
  return {
    provider: await cloud.open(config),
    owner: cloud.owner,
    open: (owner) => cloud.open(config, owner),
    order: (count, owner) => cloud.order(count, offerings, owner),
    knownType: { instanceType: 'g5.12xlarge', slots: 4 },
    unknownId: 'i-0123456789abcdef0',
    agentId: async (id) => world.vms.get(id)!.id,
    partialLaunch({ intent }, count) {
      const [first, ...others] = intent.offerings
      world.stock.set(nameOf(first!), count)
      for (const offering of others) world.stock.set(nameOf(offering), 0)
    },
    outOfStock: ({ intent }, count) => world.stock.set(nameOf(intent.offerings[0]!), count),
    hideNewInstances() {
      world.hideNewVms = true
    },
    foreignInstance: async () => world.foreignVm(),
    breakListing() {
      cloud.ec2.faults.push({
        action: 'DescribeInstances',
        kind: 'error',
        code: 'UnauthorizedOperation',
        status: 403,
      })
    },
    endInstance: async (id) => world.end(id),
    async printOnConsole(id, text) {
      world.vms.get(id)!.console += text
    },
    account: world.account,
    changeAccount() {
      world.account = '210987654321'
      return world.account
    },
    openCluster: cloud.openCluster,
    dispose: cloud.dispose,
  }
}
