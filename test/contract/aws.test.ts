// Both ways of launching on EC2 over the fake: a fleet of two offerings, and RunInstances of one.
import type { Offering } from '../../src/planner/snapshot.ts'
import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import {
  type Ability,
  abilities,
  optionalAbilities,
  type ProviderHarness,
  type ProviderSubject,
} from '../../src/testing/provider-harness.ts'
import { awsCloud, bothTypes } from '../support/aws-cloud.ts'

const nameOf = ({ capacityType, instanceType, zone }: Offering) => `${capacityType}/${instanceType}/${zone}`

function launching(offerings: Offering[], can: readonly Ability[]): ProviderSubject {
  return { can, open: () => openHarness(offerings) }
}

async function openHarness(offerings: Offering[]): Promise<ProviderHarness> {
  const cloud = await awsCloud()
  const { world } = cloud.ec2
  return {
    provider: await cloud.open(),
    owner: cloud.owner,
    open: (owner) => cloud.open({}, owner),
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
    hideNewVms() {
      world.hideNewVms = true
    },
    foreignVm: async () => world.foreignVm(),
    breakListing() {
      cloud.ec2.faults.push({
        action: 'DescribeInstances',
        kind: 'error',
        code: 'UnauthorizedOperation',
        status: 403,
      })
    },
    endVm: async (id) => world.end(id),
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

const all = [...abilities, ...optionalAbilities]

describeProviderContract('aws, fleets on the fake EC2', launching(bothTypes, all))

/** RunInstances gives fewer than asked for without a word, and has no second offering to go on with. */
const ofOneOffering = all.filter((each) => each !== 'partial_launch' && each !== 'capacity_errors')
describeProviderContract('aws, RunInstances on the fake EC2', launching(bothTypes.slice(0, 1), ofOneOffering))
