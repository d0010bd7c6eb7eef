// The resources of the project besides VMs: regions, machine types, GPUs, images, networks, quotas and permissions.
import { url } from './resources.ts'
import { type Call, GceFault, type Json } from './rest.ts'
import { project, type World } from './world.ts'

function found<T>(value: T | undefined, path: string): T {
  if (value !== undefined) return value
  throw new GceFault(404, 'notFound', `The resource 'projects/${project}/${path}' was not found`)
}

export function getRegion(world: World, { path }: Call): Json {
  const name = path['region']!
  const zones = found(world.regions[name], `regions/${name}`)
  return {
    kind: 'compute#region',
    name,
    status: 'UP',
    zones: zones.map((zone) => url(`projects/${project}/zones/${zone}`)),
    quotas: world.quotas,
  }
}

export function getMachineType(world: World, { path }: Call): Json {
  const { machineType: name = '', zone = '' } = path
  if (!/^[a-z][-a-z0-9]*$/.test(name))
    throw new GceFault(400, 'invalid', `Invalid value for field 'machineType': '${name}'`)
  const offered = world.notOffered.has(`${name} ${zone}`) ? undefined : world.types[name]
  const { cpus, gpus, gpuType } = found(offered, `zones/${zone}/machineTypes/${name}`)
  return {
    kind: 'compute#machineType',
    name,
    guestCpus: cpus,
    memoryMb: cpus * 4096,
    ...(gpus ? { accelerators: [{ guestAcceleratorType: gpuType, guestAcceleratorCount: gpus }] } : {}),
  }
}

export function getAcceleratorType(world: World, { path }: Call): Json {
  const { acceleratorType: name = '', zone = '' } = path
  const offered = world.notOffered.has(`${name} ${zone}`) ? undefined : world.accelerators[name]
  const most = found(offered, `zones/${zone}/acceleratorTypes/${name}`)
  return { kind: 'compute#acceleratorType', name, maximumCardsPerInstance: most }
}

export function getImage(world: World, { path }: Call): Json {
  const name = path['image']!
  return { kind: 'compute#image', name, ...found(world.images[name], `global/images/${name}`) }
}

export function getImageFromFamily(world: World, { path }: Call): Json {
  const family = path['family']!
  const name = found(world.families[family], `global/images/family/${family}`)
  return { kind: 'compute#image', name, family, ...found(world.images[name], `global/images/${name}`) }
}

export function getNetwork(world: World, { path }: Call): Json {
  const name = path['network']!
  found(world.networks[name], `global/networks/${name}`)
  return { kind: 'compute#network', name }
}

export function getSubnetwork(world: World, { path }: Call): Json {
  const { subnetwork: name = '', region } = path
  const network = Object.keys(world.networks).find((one) => world.networks[one]!.includes(name))
  const of = found(network, `regions/${region}/subnetworks/${name}`)
  return { kind: 'compute#subnetwork', name, network: url(`projects/${project}/global/networks/${of}`) }
}

export function getProject(world: World): Json {
  return { kind: 'compute#project', name: project, quotas: world.globalQuotas }
}

/** https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions */
export function testPermissions(world: World, { body }: Call): Json {
  const requested = (body['permissions'] ?? []) as string[]
  const permissions = requested.filter((permission) => !world.denied.has(permission))
  return permissions.length ? { permissions } : {}
}
