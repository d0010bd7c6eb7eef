// Lists, gets and deletes VMs; their consoles, and operations.
import { filterOf, page } from './filter.ts'
import { operationJson, vmJson } from './resources.ts'
import { type Call, GceFault, type Json } from './rest.ts'
import { type FakeVm, vmPath, type World } from './world.ts'

export function aggregatedList(world: World, { query }: Call): Json {
  if (world.noPartialSuccess && query.has('returnPartialSuccess'))
    throw new GceFault(400, 'badRequest', world.noPartialSuccess)
  const matches = filterOf(query.get('filter'))
  for (const vm of world.vms.values()) settle(world, vm)
  const found = [...world.vms.values()].filter(
    (vm) =>
      vm.visible &&
      !world.silent.has(vm.zone) &&
      matches((field) => (field === 'name' ? vm.name : labelIn(vm, field))),
  )
  const { shown, ...more } = page(found, query)
  const zones = Object.values(world.regions).flat()
  const nothing = (zone: string) => ({
    warning: {
      code: 'NO_RESULTS_ON_PAGE',
      message: `There are no results for scope 'zones/${zone}' on this page.`,
      data: [{ key: 'scope', value: `zones/${zone}` }],
    },
  })
  const silent = [...world.silent]
  if (silent.length && query.get('returnPartialSuccess') !== 'true')
    throw new GceFault(503, 'backendError', `The zone ${silent[0]} did not answer`)
  return {
    kind: 'compute#instanceAggregatedList',
    id: 'projects/my-project/aggregated/instances',
    items: Object.fromEntries(
      zones.map((zone) => {
        const inZone = shown.filter((vm) => vm.zone === zone)
        return [`zones/${zone}`, inZone.length ? { instances: inZone.map(vmJson) } : nothing(zone)]
      }),
    ),
    ...(silent.length ? { unreachables: silent.map((zone) => `zones/${zone}`) } : {}),
    ...more,
  }
}

function labelIn({ labels }: FakeVm, field: string): string | undefined {
  return field.startsWith('labels.') ? labels[field.slice('labels.'.length)] : undefined
}

/** A VM is provisioned, and deleted, when it was listed once. */
function settle(world: World, vm: FakeVm): void {
  if (vm.status === 'PROVISIONING') vm.status = 'RUNNING'
  else if (vm.status === 'DEPROVISIONING') world.vms.delete(vm.name)
}

function find(world: World, { path }: Call): FakeVm {
  const vm = world.vms.get(path['instance']!)
  if (vm && vm.zone === path['zone']) return vm
  const name = vmPath({ zone: path['zone']!, name: path['instance']! })
  throw new GceFault(404, 'notFound', `The resource '${name}' was not found`)
}

export function getInstance(world: World, call: Call): Json {
  return vmJson(find(world, call)) as Json
}

export function deleteInstance(world: World, call: Call): Json {
  const requestId = call.query.get('requestId') ?? ''
  const before = world.operations.get(world.requests.get(requestId) ?? '')
  if (before) return operationJson(before) as Json
  const vm = find(world, call)
  if (vm.protected)
    throw new GceFault(
      400,
      'resourceInUseByAnotherResource',
      `Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion. Please modify deletion protection field and try again.'.`,
    )
  if (vm.status === 'TERMINATED') world.vms.delete(vm.name)
  else vm.status = 'DEPROVISIONING'
  const operation = world.operation({ type: 'delete', zone: vm.zone, target: vmPath(vm) })
  world.requests.set(requestId, operation.name)
  return operationJson(operation) as Json
}

export function serialPort(world: World, call: Call): Json {
  const { serial } = find(world, call)
  const start = Number(call.query.get('start') ?? 0)
  const contents = start < 0 ? serial.slice(start) : serial.slice(start)
  const from = String(serial.length - contents.length)
  return { kind: 'compute#serialPortOutput', contents, start: from, next: String(serial.length) }
}

export function listOperations(world: World, { path, query }: Call): Json {
  const matches = filterOf(query.get('filter'))
  const found = [...world.operations.values()].filter(
    ({ zone, group, type }) =>
      zone === path['zone'] &&
      matches((field) =>
        field === 'operationGroupId' ? group : field === 'operationType' ? type : undefined,
      ),
  )
  const { shown, ...more } = page(found, query)
  return { kind: 'compute#operationList', items: shown.map(operationJson), ...more }
}

/** undefined: no answer until the caller aborts. */
export function wait(world: World, { path }: Call): Json | undefined {
  const operation = world.operations.get(path['operation']!)
  const isAtLocation = operation?.zone === path['zone'] && operation?.region === path['region']
  if (!operation || !isAtLocation)
    throw new GceFault(404, 'notFound', `The operation '${path['operation']}' was not found`)
  if (world.stuck) return undefined
  operation.waits--
  if (operation.waits <= 0) operation.status = 'DONE'
  return operationJson(operation) as Json
}
