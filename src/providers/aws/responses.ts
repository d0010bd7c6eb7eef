// Responses of EC2, read here. Those about instances may contain thousands of them, four kilobytes each: the values that are
// used are read while the response arrives. The SDK's parser reads whole documents, and would block the event loop for
// seconds (npm run bench aws).

import { buffer } from 'node:stream/consumers'
import type { EC2Client } from '@aws-sdk/client-ec2'
import { readXml, XmlReadError, xmlDate, xmlFields, xmlList, xmlText } from '../../platform/index.ts'
import { foreignContent, notFromEc2 } from './errors.ts'

/** Metadata of a response that was accepted. */
export interface Answered {
  /** The `Date` header, which is EC2's clock; milliseconds since the epoch. */
  answeredAt?: number
}

/** What is read of an instance, by the SDK's names. */
export interface Ec2Instance {
  InstanceId?: string
  InstanceType?: string
  ImageId?: string
  SubnetId?: string
  LaunchTime?: Date
  State?: { Name?: string }
  StateReason?: { Code?: string; Message?: string }
  StateTransitionReason?: string
  Placement?: { AvailabilityZone?: string }
  InstanceLifecycle?: string
  SpotInstanceRequestId?: string
  CapacityReservationId?: string
  NetworkInterfaces?: Ec2Interface[]
  Tags?: { Key?: string; Value?: string }[]
}

/** All addresses of an instance are at its interfaces; those at the instance itself are those of the first one. */
export interface Ec2Interface {
  PrivateIpAddresses?: { PrivateIpAddress?: string; Association?: { PublicIp?: string } }[]
  Ipv6Addresses?: { Ipv6Address?: string }[]
}

interface Reservation {
  OwnerId?: string
  Instances?: Ec2Instance[]
}

export interface OwnOutputs {
  describeInstances: { Reservations?: Reservation[]; NextToken?: string }
  runInstances: Reservation
}

const networkInterface = xmlFields<Ec2Interface>({
  PrivateIpAddresses: [
    'privateIpAddressesSet',
    xmlList(
      xmlFields({
        PrivateIpAddress: ['privateIpAddress', xmlText],
        Association: ['association', xmlFields({ PublicIp: ['publicIp', xmlText] })],
      }),
    ),
  ],
  Ipv6Addresses: ['ipv6AddressesSet', xmlList(xmlFields({ Ipv6Address: ['ipv6Address', xmlText] }))],
})
const instance = xmlFields<Ec2Instance>({
  InstanceId: ['instanceId', xmlText],
  InstanceType: ['instanceType', xmlText],
  ImageId: ['imageId', xmlText],
  SubnetId: ['subnetId', xmlText],
  LaunchTime: ['launchTime', xmlDate],
  State: ['instanceState', xmlFields({ Name: ['name', xmlText] })],
  StateReason: ['stateReason', xmlFields({ Code: ['code', xmlText], Message: ['message', xmlText] })],
  StateTransitionReason: ['reason', xmlText],
  Placement: ['placement', xmlFields({ AvailabilityZone: ['availabilityZone', xmlText] })],
  InstanceLifecycle: ['instanceLifecycle', xmlText],
  SpotInstanceRequestId: ['spotInstanceRequestId', xmlText],
  CapacityReservationId: ['capacityReservationId', xmlText],
  NetworkInterfaces: ['networkInterfaceSet', xmlList(networkInterface)],
  Tags: ['tagSet', xmlList(xmlFields({ Key: ['key', xmlText], Value: ['value', xmlText] }))],
})
const reservation = {
  OwnerId: ['ownerId', xmlText],
  Instances: ['instancesSet', xmlList(instance)],
} as const
const requestId = ['requestId', xmlText] as const

/** By the name of the action: what is read of its answer, and the list without which it is not EC2's. */
const ownReaders = {
  DescribeInstances: {
    element: xmlFields<OwnOutputs['describeInstances'] & { requestId?: string }>({
      Reservations: ['reservationSet', xmlList(xmlFields<Reservation>(reservation))],
      NextToken: ['nextToken', xmlText],
      requestId,
    }),
    list: ['Reservations', 'reservationSet'],
  },
  RunInstances: {
    element: xmlFields<OwnOutputs['runInstances'] & { requestId?: string }>({ ...reservation, requestId }),
    list: ['Instances', 'instancesSet'],
  },
} as const

interface HttpAnswer {
  statusCode: number
  headers: Record<string, string | undefined>
  body: AsyncIterable<Buffer>
  /** What was read of a large answer. */
  own?: object
}

/** Characters of an answer that are enough to name what it is. */
const headLength = 2000

/** Reads a response of EC2 while it arrives. Rejects with NotFromEc2. */
async function ownOutput(action: keyof typeof ownReaders, { body, statusCode }: HttpAnswer): Promise<object> {
  const root = `${action}Response`
  const { element, list } = ownReaders[action]
  let head = ''
  async function* noted() {
    for await (const chunk of body) {
      if (head.length < headLength) head += chunk.toString('latin1', 0, headLength)
      yield chunk
    }
  }
  try {
    const { requestId: id, ...output } = await readXml<{ requestId?: string }>(noted(), root, element)
    const [key, name] = list
    if (!(key in output)) throw notFromEc2(`a ${root} without a ${name}`, statusCode)
    if (!id) throw notFromEc2(`a ${root} without a request id`, statusCode)
    return output
  } catch (error) {
    if (!(error instanceof XmlReadError)) throw error
    if (error.kind === 'truncated') throw notFromEc2(`a truncated ${root}`, statusCode)
    throw notFromEc2(foreignContent(head, action, true) ?? `a ${root} that cannot be read`, statusCode)
  }
}

function hasOwnReader(action: string): action is keyof typeof ownReaders {
  return Object.hasOwn(ownReaders, action)
}

/**
 * Rejects responses that are not EC2's, and reads large ones, before the client's deserializer does. The deserializer gets an
 * empty response in their place, and the outermost middleware adds what was read to the output.
 */
export function filterResponses(client: EC2Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      const response = result.response as HttpAnswer
      const { statusCode } = response
      const action = context.commandName?.replace(/Command$/, '') ?? ''
      const ok = statusCode >= 200 && statusCode < 300
      if (ok && hasOwnReader(action)) {
        const own = await ownOutput(action, response)
        const body = Buffer.from(`<${action}Response></${action}Response>`)
        return { ...result, response: Object.assign(response, { body, own }) }
      }
      const xml = (await buffer(response.body)).toString()
      const foreign = foreignContent(xml, action, ok)
      if (foreign) throw notFromEc2(foreign, statusCode)
      return { ...result, response: Object.assign(response, { body: Buffer.from(xml) }) }
    },
    // Low priority is nearest to the network, so that it gets the response first.
    { step: 'deserialize', priority: 'low', name: 'ownAnswers' },
  )
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers, own } = result.response as HttpAnswer
      Object.assign(result.output, own)
      const answeredAt = Date.parse(headers['date'] ?? '')
      if (Number.isFinite(answeredAt)) Object.assign(result.output, { answeredAt } satisfies Answered)
      return result
    },
    // High: outside of the SDK's logger, which walks through the whole output.
    { step: 'initialize', priority: 'high', name: 'ownOutput' },
  )
}
