// Capacity that is paid for in advance: capacity reservations, and Capacity Blocks, which end at a fixed time.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-reservations.html
import { endNotice, type Instance, type Offering } from '../../planner/index.ts'
import type { Problem } from '../../problems/index.ts'
import { type Failure, failureFrom, fault } from '../failure.ts'
import { withReserved } from '../offerings.ts'
import type { CapacityReservation, Ec2Api } from './client.ts'
import { codeOf } from './errors.ts'
import type { AwsConfig } from './rules.ts'

/** The offerings of a pool, in the order they are tried: what is paid for already comes first. */
export function offeringsOf(config: AwsConfig): Offering[] {
  const { subnet_ids, network_interface, capacity } = config
  const zones = subnet_ids.length ? subnet_ids : [network_interface.subnet_id]
  return withReserved(config, zones, capacity)
}

/** The part of a request that launches into the capacity of the pool. */
export function capacityOptions({ capacity }: AwsConfig) {
  const { reservation, block } = capacity ?? {}
  if (reservation === 'open')
    return {
      CapacityReservationSpecification: { CapacityReservationPreference: 'capacity-reservations-only' },
    } as const
  const id = block ?? reservation ?? ''
  const target = id.startsWith('arn:')
    ? { CapacityReservationResourceGroupArn: id }
    : { CapacityReservationId: id }
  return {
    CapacityReservationSpecification: { CapacityReservationTarget: target },
    ...(block ? ({ InstanceMarketOptions: { MarketType: 'capacity-block' } } as const) : {}),
  }
}

/** The one reservation or block of the pool; undefined for a group, or any open reservation. */
export function reservationOf({ capacity }: AwsConfig): string | undefined {
  const id = capacity?.block ?? capacity?.reservation
  return id?.startsWith('cr-') ? id : undefined
}

/** Milliseconds before the end of a Capacity Block at which EC2 begins to terminate its instances. */
const terminatedBefore = 30 * 60_000

/** When EC2 begins to terminate the instances of a block; undefined for one without an end. */
function endOf({ EndDate }: CapacityReservation): number | undefined {
  return EndDate && EndDate.getTime() - terminatedBefore
}

/**
 * Why nothing is launched into the pool's block now: it has not started, or would be drained at once. EC2 would answer
 * that it has no capacity. Rejects with the SDK's error.
 */
export async function blockRefusal(
  { api, config, now }: { api: Ec2Api; config: AwsConfig; now: number },
  doing: string,
  signal?: AbortSignal,
): Promise<Failure | undefined> {
  const block = config.capacity?.block
  if (!block) return undefined
  const found = await describe(api, [block], signal)
  const [reservation] = found.reservations
  const at = found.at ?? now
  const startsAt = reservation?.StartDate?.getTime() ?? 0
  const endsAt = reservation && endOf(reservation)
  const refuse = (code: string, message: string, remedy: string) =>
    failureFrom({ class: 'capacity', remedy }, doing, { code, message })
  if (startsAt > at)
    return refuse(
      'CapacityBlockNotStarted',
      `Capacity Block ${block} starts at ${iso(startsAt)}`,
      'No action is needed: it is used once it has started.',
    )
  if (endsAt !== undefined && endsAt - endNotice <= at)
    return refuse(
      'CapacityBlockEnds',
      `EC2 terminates the instances of Capacity Block ${block} from ${iso(endsAt)} on`,
      'Extend the block, or set capacity.block to another one.',
    )
  return undefined
}

/** What to do when the capacity of a pool has no room and nothing else may be tried; undefined: something else may. */
export function fullRemedy({ capacity }: AwsConfig): string | undefined {
  if (!capacity?.only) return undefined
  const id = capacity.block ?? capacity.reservation ?? ''
  const one = `${capacity.block ? 'Capacity Block' : 'Capacity reservation'} ${id} has no free instance`
  const full = id === 'open' ? 'No open reservation has a free instance' : one
  return `${full} of this type and zone (\`provision check\` compares both). Wait, or reserve more. Remove \`only: true\` from capacity to have on-demand instances tried.`
}

/**
 * Sets when the instances end that run in Capacity Blocks, as far as that can be read. `error`: the SDK's, why some ends could
 * not be.
 * @param blocks the block of each instance, by instance id
 */
export async function markReserved(
  api: Ec2Api,
  instances: Instance[],
  blocks: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<{ instances: Instance[]; error?: unknown }> {
  if (blocks.size === 0) return { instances }
  const { reservations, error } = await describeKnown(api, [...new Set(blocks.values())], signal)
  const ends = new Map(reservations.map((one) => [one.CapacityReservationId, endOf(one)]))
  const marked = instances.map((instance) => {
    const endsAt = ends.get(blocks.get(instance.id))
    return endsAt === undefined ? instance : { ...instance, endsAt }
  })
  return { instances: marked, ...(error === undefined ? {} : { error }) }
}

/** One unknown id fails a call for several: each is asked for by itself then. */
async function describeKnown(
  api: Ec2Api,
  ids: string[],
  signal?: AbortSignal,
): Promise<{ reservations: CapacityReservation[]; error?: unknown }> {
  try {
    return { reservations: (await describe(api, ids, signal)).reservations }
  } catch (error) {
    signal?.throwIfAborted()
    if (ids.length < 2 || !codeOf(error).startsWith('InvalidCapacityReservationId'))
      return { reservations: [], error }
    const each = []
    for (const id of ids) each.push(await describeKnown(api, [id], signal))
    const failed = each.find((one) => one.error !== undefined)
    return {
      reservations: each.flatMap((one) => one.reservations),
      ...(failed ? { error: failed.error } : {}),
    }
  }
}

async function describe(api: Ec2Api, CapacityReservationIds: string[], signal?: AbortSignal) {
  const answer = await api.describeCapacityReservations({ CapacityReservationIds }, signal)
  return { reservations: answer.CapacityReservations ?? [], at: answer.answeredAt }
}

/**
 * What is wrong with the reservation of a pool, for `provision check`.
 * @param zones of the pool's subnets; empty if they are not known
 */
export function reservationFault(
  config: AwsConfig,
  found: CapacityReservation | undefined,
  zones: readonly string[],
): Problem | undefined {
  const id = reservationOf(config) ?? ''
  const { State, InstanceType = '', AvailabilityZone = '', ReservationType } = found ?? {}
  const isBlock = ReservationType === 'capacity-block'
  if (isBlock && !config.capacity?.block)
    return fault(`${id} is a Capacity Block`, `Write \`capacity: {block: ${id}}\`.`)
  if (!isBlock && config.capacity?.block)
    return fault(`${id} is not a Capacity Block`, `Write \`capacity: {reservation: ${id}}\`.`)
  if (!['active', 'scheduled', 'pending', 'assessing', 'delayed'].includes(State ?? ''))
    return fault(`${id} is ${State ?? 'missing'}`, 'Use another one, or remove capacity.')
  if (!config.instance_types.some(({ type }) => type === InstanceType))
    return fault(
      `${id} is for ${InstanceType}, which is not an instance type of the pool`,
      `Add ${InstanceType}.`,
    )
  return zones.length && !zones.includes(AvailabilityZone)
    ? fault(`${id} is in ${AvailabilityZone}, but no subnet of the pool is`, 'Add a subnet in that zone.')
    : undefined
}

function iso(time: number): string {
  return new Date(time).toISOString()
}
