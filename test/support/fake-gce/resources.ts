// VMs and operations in Compute Engine's JSON: URLs, 64-bit numbers as strings, local times.
import { type FakeOperation, type FakeVm, project, vmPath } from './world.ts'

const base = 'https://www.googleapis.com/compute/v1'

export function url(path: string): string {
  return `${base}/${path}`
}

export function vmJson(vm: FakeVm): object {
  return {
    kind: 'compute#instance',
    id: vm.id,
    creationTimestamp: time(vm.createdAt),
    name: vm.name,
    machineType: url(`projects/${project}/zones/${vm.zone}/machineTypes/${vm.type}`),
    status: vm.status,
    zone: url(`projects/${project}/zones/${vm.zone}`),
    labels: vm.labels,
    labelFingerprint: 'vezUS-42LLM=',
    metadata: {
      kind: 'compute#metadata',
      items: Object.entries(vm.metadata).map(([key, value]) => ({ key, value })),
    },
    ...(vm.properties.reservationAffinity ? { reservationAffinity: vm.properties.reservationAffinity } : {}),
    ...limitOf(vm),
    networkInterfaces: vm.interfaces ?? [defaultInterface(vm)],
    scheduling: {
      provisioningModel:
        vm.capacity === 'spot' ? 'SPOT' : (vm.properties.scheduling?.provisioningModel ?? 'STANDARD'),
      preemptible: vm.capacity === 'spot',
      automaticRestart: vm.capacity !== 'spot',
    },
    cpuPlatform: 'Intel Haswell',
    startRestricted: false,
    selfLink: url(vmPath(vm)),
    ...(vm.stoppedAt === undefined ? {} : { lastStopTimestamp: time(vm.stoppedAt) }),
  }
}

/** Of the ranges that RFC 1918 and RFC 2544 reserve. A stopped VM keeps its internal address, and loses the external one. */
function defaultInterface({ id, status }: FakeVm): object {
  const number = Number(BigInt(id) & 0xffffffn)
  const host = `${(number >> 8) & 255}.${number & 255}`
  return {
    kind: 'compute#networkInterface',
    name: 'nic0',
    network: url(`projects/${project}/global/networks/default`),
    networkIP: `10.${number >> 16}.${host}`,
    stackType: 'IPV4_ONLY',
    accessConfigs: [
      {
        kind: 'compute#accessConfig',
        name: 'External NAT',
        type: 'ONE_TO_ONE_NAT',
        ...(status === 'TERMINATED' ? {} : { natIP: `198.18.${host}` }),
      },
    ],
  }
}

function limitOf({ createdAt, properties }: FakeVm): object {
  const { seconds } = (properties.scheduling?.['maxRunDuration'] ?? {}) as { seconds?: string }
  if (seconds === undefined) return {}
  return {
    resourceStatus: { scheduling: { terminationTimestamp: time(createdAt + Number(seconds) * 1000) } },
  }
}

export function operationJson(operation: FakeOperation): object {
  const { zone, region, group, errors, perLocation } = operation
  return {
    kind: 'compute#operation',
    id: operation.id,
    name: operation.name,
    operationType: operation.type,
    status: operation.status,
    progress: operation.status === 'DONE' ? 100 : 0,
    insertTime: time(operation.insertedAt),
    targetLink: url(operation.target),
    user: 'provisioner@example.com',
    ...(zone ? { zone: url(`projects/${project}/zones/${zone}`) } : {}),
    ...(region ? { region: url(`projects/${project}/regions/${region}`) } : {}),
    ...(group ? { operationGroupId: group } : {}),
    ...(errors.length && operation.status === 'DONE'
      ? { error: { errors }, httpErrorStatusCode: 503, httpErrorMessage: 'SERVICE UNAVAILABLE' }
      : {}),
    ...(perLocation ? { instancesBulkInsertOperationMetadata: { perLocationStatus: perLocation } } : {}),
  }
}

/** Google uses Pacific time. */
function time(at: number): string {
  return `${new Date(at - 8 * 3_600_000).toISOString().slice(0, -1)}-08:00`
}
