// The account and its resources besides VMs: subnets, security groups, key pairs, and the offerings of zones.
import { matching } from './filters.ts'
import { Ec2Error, type Params, textsOf, type Xml } from './query.ts'
import type { World } from './world.ts'

export function describeSubnets(world: World, params: Params): Xml {
  return {
    subnetSet: textsOf(params['SubnetId']).map((id) => {
      if (!(id in world.subnets))
        throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`)
      return {
        subnetId: id,
        vpcId: 'vpc-1',
        availabilityZone: world.subnets[id],
        availableIpAddressCount: world.freeAddresses[id] ?? 250,
      }
    }),
  }
}

export function describeSecurityGroups(world: World, params: Params): Xml {
  return {
    securityGroupInfo: textsOf(params['GroupId']).map((id) => {
      if (!(id in world.groups))
        throw new Ec2Error('InvalidGroup.NotFound', `The security group '${id}' does not exist`)
      const toItself = [{ ipProtocol: '-1', groups: [{ groupId: id }] }]
      const rules = world.groupsForEfa.has(id)
        ? { ipPermissions: toItself, ipPermissionsEgress: toItself }
        : {}
      return { groupId: id, vpcId: world.groups[id], ...rules }
    }),
  }
}

export function describeCapacityReservations(world: World, params: Params): Xml {
  const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())
  return {
    capacityReservationSet: textsOf(params['CapacityReservationId']).map((id) => {
      const one = world.reservations.get(id)
      if (!one)
        throw new Ec2Error(
          'InvalidCapacityReservationId.NotFound',
          `The capacity reservation ID '${id}' does not exist`,
        )
      return {
        capacityReservationId: id,
        instanceType: one.type,
        availabilityZone: one.zone,
        totalInstanceCount: one.total,
        availableInstanceCount: world.unreserved(id),
        state: one.state ?? 'active',
        startDate: iso(one.startsAt),
        endDate: iso(one.endsAt),
        endDateType: one.endsAt === undefined ? 'unlimited' : 'limited',
        instanceMatchCriteria: 'targeted',
        reservationType: one.block ? 'capacity-block' : 'default',
      }
    }),
  }
}

export function describeKeyPairs(world: World, params: Params): Xml {
  return {
    keySet: textsOf(params['KeyName']).map((name) => {
      if (!world.keyPairs.includes(name))
        throw new Ec2Error('InvalidKeyPair.NotFound', `The key pair '${name}' does not exist`)
      return { keyName: name }
    }),
  }
}

export function describeInstanceTypeOfferings(world: World, params: Params): Xml {
  const zones = [...new Set(Object.values(world.subnets))]
  const all = Object.keys(world.types).flatMap((type) => zones.map((zone) => ({ type, zone })))
  const offered = all.filter(({ type, zone }) => !world.notOffered.has(`${type} ${zone}`))
  const found = matching(offered, params, ({ type, zone }) => ({
    tags: {},
    values: { 'instance-type': type, location: zone },
  }))
  return {
    instanceTypeOfferingSet: found.map(({ type, zone }) => ({
      instanceType: type,
      location: zone,
      locationType: 'availability-zone',
    })),
  }
}

/** Answers like STS, for which this is the endpoint as well. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
export function callerIdentity({ account }: World): Xml {
  return {
    GetCallerIdentityResponse: {
      GetCallerIdentityResult: {
        Arn: `arn:aws:iam::${account}:user/provisioner`,
        UserId: 'AIDAEXAMPLE',
        Account: account,
      },
      ResponseMetadata: { RequestId: 'request' },
    },
  }
}
