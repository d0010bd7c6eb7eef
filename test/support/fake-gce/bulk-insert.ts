// bulkInsert, exact for request ids, name conflicts, stock and quota found while it runs, and limits.
import type { BulkInsertResource, InstanceProperties } from '../../../src/providers/gcp/base-config.ts'
import { misfits } from '../compute-descriptor.ts'
import { operationJson } from './resources.ts'
import { type Call, GceFault, type Json } from './rest.ts'
import { type Capacity, type FakeOperation, project, vmPath, type World } from './world.ts'

export function bulkInsert(world: World, call: Call): Json {
  const requestId = call.query.get('requestId') ?? ''
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(requestId))
    throw invalid('requestId', requestId, 'Must be a UUID')
  const before = world.operations.get(world.requests.get(requestId) ?? '')
  if (before) return operationJson(before) as Json
  const resource = call.body as unknown as BulkInsertResource
  const { zone, region } = call.path
  check(world, resource)
  const zones = zone ? [zone] : allowed(world, region!, resource)
  const operation = make(world, resource, zones, zone ? { zone } : { region: region! })
  world.requests.set(requestId, operation.name)
  return operationJson(operation) as Json
}

function check(world: World, resource: BulkInsertResource): void {
  const [typo] = misfits('BulkInsertInstanceResource', resource)
  if (typo) throw new GceFault(400, 'badRequest', `Invalid JSON payload received. Unknown name: ${typo}`)
  const { count, minCount, perInstanceProperties, instanceProperties } = resource
  const names = Object.keys(perInstanceProperties)
  if (!(Number(count) >= 1 && Number(count) <= 5000) || !(Number(minCount) <= Number(count)))
    throw invalid('resource.count', String(count), 'Must be between 1 and 5000')
  if (names.length !== Number(count))
    throw invalid('resource.perInstanceProperties', String(names.length), 'count')
  const bad = names.find((name) => !/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
  if (bad) throw invalid('resource.name', bad, "Must be a match of regex '[a-z]([-a-z0-9]{0,61}[a-z0-9])?'")
  const taken = names.find((name) => world.vms.has(name))
  if (taken) throw new GceFault(409, 'alreadyExists', `The resource '${taken}' already exists`)
  checkMachine(world, instanceProperties)
  checkReservation(world, instanceProperties, names.length)
  checkScheduling(instanceProperties)
}

/** A launch into a reservation is refused as a whole if it lacks room (the text is Google's as far as it is known). */
function checkReservation(world: World, { reservationAffinity }: InstanceProperties, count: number) {
  if (reservationAffinity?.consumeReservationType !== 'SPECIFIC_RESERVATION') return
  const name = reservationAffinity.values?.[0]?.split('/').at(-1) ?? ''
  const left = world.reservations.get(name) ?? 0
  if (left < count)
    throw new GceFault(
      400,
      'badRequest',
      `Specified reservations [${name}] do not have available resources for the request.`,
    )
  world.reservations.set(name, left - count)
}

/** https://cloud.google.com/compute/docs/instances/about-flex-start-vms */
function checkScheduling({ scheduling = {}, reservationAffinity }: InstanceProperties) {
  if (scheduling.provisioningModel !== 'FLEX_START') return
  const field = 'resource.instanceProperties.scheduling'
  if (!scheduling['maxRunDuration']) throw invalid(`${field}.maxRunDuration`, '', 'It is required')
  if (scheduling.automaticRestart !== false || scheduling.onHostMaintenance !== 'TERMINATE')
    throw invalid(field, 'FLEX_START', 'It can neither be restarted nor migrated')
  if (reservationAffinity?.consumeReservationType !== 'NO_RESERVATION')
    throw invalid('resource.instanceProperties.reservationAffinity', '', 'It must be NO_RESERVATION')
}

function checkMachine(
  world: World,
  { machineType = '', disks = [], labels = {}, metadata }: InstanceProperties,
) {
  if (!(machineType in world.types))
    throw invalid('resource.instanceProperties.machineType', machineType, 'Unknown')
  const image = disks.find(({ boot }) => boot)?.initializeParams?.sourceImage
  const known = image?.includes('/family/') ? world.families : world.images
  if (image && !(image.split('/').at(-1)! in known))
    throw new GceFault(404, 'notFound', `The resource '${image}' was not found`)
  for (const [key, value] of Object.entries(labels))
    if (!/^[a-z][a-z0-9_-]{0,62}$/.test(key) || !/^[a-z0-9_-]{0,63}$/.test(value))
      throw invalid('resource.instanceProperties.labels', `${key}: ${value}`, 'Label is not valid')
  for (const { key, value = '' } of metadata?.items ?? [])
    if (Buffer.byteLength(value) > 262_144)
      throw invalid(`metadata.items.${key}`, '…', 'Value is too large: maximum size 262144 character(s)')
}

/** Zones that are not denied are allowed. */
function allowed(world: World, region: string, { locationPolicy }: BulkInsertResource): string[] {
  const zones = world.regions[region]
  if (!zones) throw invalid('region', region, 'Unknown region.')
  return zones.filter((zone) => locationPolicy?.locations[`zones/${zone}`]?.preference !== 'DENY')
}

interface ProjectAndZone {
  zone?: string
  region?: string
}

function make(
  world: World,
  resource: BulkInsertResource,
  zones: string[],
  place: ProjectAndZone,
): FakeOperation {
  const { instanceProperties: properties } = resource
  const names = Object.keys(resource.perInstanceProperties)
  const type = properties.machineType!
  const capacity: Capacity = properties.scheduling?.provisioningModel === 'SPOT' ? 'spot' : 'on_demand'
  const group = `group-${world.id()}`
  const target = `projects/${project}/${place.zone ? `zones/${place.zone}` : `regions/${place.region}`}/instances`
  const operation = world.operation({ type: 'bulkInsert', target, group, ...place })
  const left = (world.quota[capacity] ?? Number.POSITIVE_INFINITY) - world.live(capacity).length
  const may = names.slice(0, Math.max(0, left))
  const perZone: Record<string, number> = {}
  for (const zone of zones) {
    const count = Math.min(may.length, world.inStock(capacity, type, zone))
    world.take(capacity, type, zone, count)
    for (const name of may.splice(0, count)) {
      addVm(world, { name, zone, type, capacity, properties })
      world.operation({ type: 'insert', group, zone, target: vmPath({ zone, name }), waits: 0 })
    }
    perZone[zone] = count
  }
  const last = zones.at(-1)!
  const created = names.filter((name) => world.vms.has(name))
  for (const name of names.filter((one) => !created.includes(one))) {
    const errors = [may.includes(name) ? outOfStock(last, type) : overQuota(world, capacity)]
    world.operation({
      type: 'insert',
      group,
      zone: last,
      target: vmPath({ zone: last, name }),
      errors,
      waits: 0,
    })
  }
  if (created.length < resource.minCount) operation.errors.push(tooFew(resource.minCount))
  operation.perLocation = Object.fromEntries(
    Object.entries(perZone).map(([zone, count]) => [
      `zones/${zone}`,
      { targetVmCount: count, createdVmCount: count, status: 'DONE' },
    ]),
  )
  return operation
}

function addVm(
  world: World,
  vm: { name: string; zone: string; type: string; capacity: Capacity; properties: InstanceProperties },
): void {
  const items = vm.properties.metadata?.items ?? []
  world.vms.set(vm.name, {
    ...vm,
    id: world.id(),
    createdAt: world.now(),
    status: 'PROVISIONING',
    labels: vm.properties.labels ?? {},
    metadata: Object.fromEntries(items.map(({ key = '', value = '' }) => [key, value])),
    visible: !world.hideNewVms,
    protected: false,
    serial: '',
  })
}

function outOfStock(zone: string, type: string) {
  return {
    code: 'ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS',
    message: `The zone 'projects/${project}/zones/${zone}' does not have enough resources available to fulfill the request. '(resource type:compute) ${type}'.`,
  }
}

function overQuota(world: World, capacity: Capacity) {
  const metric = capacity === 'spot' ? 'PREEMPTIBLE_NVIDIA_L4_GPUS' : 'NVIDIA_L4_GPUS'
  const limit = world.quota[capacity]
  return {
    code: 'QUOTA_EXCEEDED',
    message: `Quota '${metric}' exceeded.  Limit: ${limit}.0 in region us-central1.`,
  }
}

function tooFew(count: number) {
  const message = `Requested minimum count of ${count} VMs could not be created.`
  return { code: 'VM_MIN_COUNT_NOT_REACHED', message }
}

function invalid(field: string, value: string, why: string): GceFault {
  return new GceFault(400, 'invalid', `Invalid value for field '${field}': '${value}'. ${why}.`)
}
