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

export function describePlacementGroups(world: World, params: Params): Xml {
  return {
    placementGroupSet: textsOf(params['GroupName']).map((name) => {
      if (!world.placementGroups.includes(name))
        throw new Ec2Error('InvalidPlacementGroup.Unknown', `The Placement Group '${name}' is unknown`)
      return { groupName: name, state: 'available', strategy: 'cluster' }
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
