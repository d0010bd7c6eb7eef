// Reservations, which are tried first, and Flex-start instances, which Google deletes after a time.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { gcp } from '../../../src/providers/gcp/definition.ts'
import { gcpConfig } from '../../support/cloud-pools.ts'
import { type GcpCloud, gcpCloud, zone } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const type = { instance_types: [{ type: 'g2-standard-8', slots: 1 }], zone }
const hour = 3_600_000

async function launched(more: Parameters<typeof gcpConfig>[0], count: number) {
  const config = gcpConfig({ ...type, ...more })
  const provider = await cloud.open(config)
  const result = await provider.launch(cloud.order(count, gcp.offerings(config)))
  return { ...result, listed: (await provider.list()).instances }
}
const sent = () => [...cloud.gce.world.vms.values()].map(({ properties }) => properties)

it('a reservation is used by name, before anything else is bought', async () => {
  cloud.gce.world.reservations.set('r1', 2)
  const { instances, failures, listed } = await launched({ capacity: { reservation: 'r1', only: false } }, 2)
  expect(failures).toEqual([])
  expect(instances.map(({ capacityType }) => capacityType)).toEqual(['reserved', 'reserved'])
  expect(listed.map(({ capacityType }) => capacityType)).toEqual(['reserved', 'reserved'])
  expect(sent()[0]).toMatchObject({
    scheduling: { onHostMaintenance: 'TERMINATE' },
    reservationAffinity: {
      consumeReservationType: 'SPECIFIC_RESERVATION',
      key: 'compute.googleapis.com/reservation-name',
      values: ['r1'],
    },
  })
})

it.each([
  ['is used up', 'r1'],
  ['does not exist', 'projects/shared/reservations/r2'],
])('a reservation that %s is followed by on-demand instances', async (_, reservation) => {
  cloud.gce.world.reservations.set('r1', 1)
  const { listed } = await launched({ capacity: { reservation, only: false } }, 2)
  expect(listed.map(({ capacityType }) => capacityType)).toEqual(['on_demand', 'on_demand'])
  expect(sent().every((properties) => properties.reservationAffinity === undefined)).toBe(true)
})

it('nothing is launched outside of a reservation with only: true, and the failure is one of capacity', async () => {
  const { instances, failures } = await launched({ capacity: { reservation: 'r1', only: true } }, 2)
  expect(instances).toEqual([])
  expect(failures).toMatchObject([{ class: 'capacity', missing: 2 }])
  expect(failures[0]!.problem.remedy).toContain('gcloud compute reservations describe')
  expect(cloud.gce.count('bulkInsert')).toBe(1)
})

it('a reservation is tried before Spot, which is tried before on-demand instances', () => {
  const spot = { enabled: true, fallback: 'on_demand' as const }
  const config = gcpConfig({ ...type, spot, capacity: { reservation: 'r1', only: false } })
  expect(gcp.offerings(config).map(({ capacityType }) => capacityType)).toEqual([
    'reserved',
    'spot',
    'on_demand',
  ])
})

it('Flex-start instances have the fields that they need, and an end', async () => {
  const { failures, listed } = await launched({ capacity: { flex_start: 24 * hour, only: false } }, 1)
  expect(failures).toEqual([])
  expect(sent()[0]).toMatchObject({
    scheduling: {
      provisioningModel: 'FLEX_START',
      maxRunDuration: { seconds: '86400' },
      instanceTerminationAction: 'DELETE',
      automaticRestart: false,
      onHostMaintenance: 'TERMINATE',
    },
    reservationAffinity: { consumeReservationType: 'NO_RESERVATION' },
  })
  const [{ launchedAt, endsAt }] = listed as [(typeof listed)[number]]
  expect(endsAt).toBe(launchedAt + 24 * hour)
})

it('an end so soon that a drain would leave no time for jobs is none', async () => {
  const base_config = { scheduling: { maxRunDuration: { seconds: '2400' } } }
  const { listed } = await launched({ base_config }, 1)
  expect(listed[0]!.endsAt).toBeUndefined()
})
