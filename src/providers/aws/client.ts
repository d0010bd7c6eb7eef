// EC2 through Amazon's SDK; no other file in this folder loads it. Endpoint and credentials come from AWS's standard
// sources. A response is used only when it is EC2's response to the call.

import { buffer } from 'node:stream/consumers'
import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  DeleteLaunchTemplateCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeKeyPairsCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeSubnetsCommand,
  EC2Client,
  type EC2ClientConfig,
  GetConsoleOutputCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { partition } from '@aws-sdk/core/client'
import {
  type Environment,
  outgoingAgents,
  readXml,
  XmlReadError,
  xmlDate,
  xmlFields,
  xmlList,
  xmlText,
} from '../../platform/index.ts'
import { codeOf, foreignContent, notFromEc2 } from './errors.ts'

export type {
  CreateFleetError,
  CreateFleetInstance,
  CreateLaunchTemplateRequest,
  DescribeInstancesRequest,
  Image,
  InstanceTypeInfo,
  ResourceType,
  RunInstancesRequest,
  Tag,
  TagSpecification,
} from '@aws-sdk/client-ec2'

/** Sent once each: the provider retries them itself, because the SDK would also retry after insufficient capacity. */
const sentOnce = {
  runInstances: RunInstancesCommand,
  createFleet: CreateFleetCommand,
} as const

const repeated = {
  createLaunchTemplate: CreateLaunchTemplateCommand,
  deleteLaunchTemplate: DeleteLaunchTemplateCommand,
  describeLaunchTemplates: DescribeLaunchTemplatesCommand,
  describeLaunchTemplateVersions: DescribeLaunchTemplateVersionsCommand,
  describeImages: DescribeImagesCommand,
  describeInstances: DescribeInstancesCommand,
  describeInstanceTypes: DescribeInstanceTypesCommand,
  describeSpotInstanceRequests: DescribeSpotInstanceRequestsCommand,
  getConsoleOutput: GetConsoleOutputCommand,
  terminateInstances: TerminateInstancesCommand,
  // Used by `provision check` only.
  describeInstanceTypeOfferings: DescribeInstanceTypeOfferingsCommand,
  describeKeyPairs: DescribeKeyPairsCommand,
  describeSecurityGroups: DescribeSecurityGroupsCommand,
  describeSubnets: DescribeSubnetsCommand,
} as const

type Commands = typeof sentOnce & typeof repeated
type CallName = keyof Commands
type RequestOf<Name extends CallName> = ConstructorParameters<Commands[Name]>[0]
type SentCommand<Name extends CallName> = ReturnType<InstanceType<Commands[Name]>['resolveMiddleware']>
type OutputOf<Name extends CallName> = Name extends keyof OwnOutputs
  ? OwnOutputs[Name]
  : Awaited<ReturnType<SentCommand<Name>>>['output']
type ResultOf<Name extends CallName> = OutputOf<Name> & Answered

/** Metadata of a response that was accepted. */
export interface Answered {
  /** The `Date` header, which is EC2's clock; milliseconds since the epoch. */
  answeredAt?: number
}

/** Rejects with the SDK's error, or with the reason of `signal` once that is aborted. */
export type Ec2Call<Name extends CallName> = (
  request: RequestOf<Name>,
  signal?: AbortSignal,
) => Promise<ResultOf<Name>>

/** All EC2 calls that the provisioner makes: what a fake has to answer, and what needs permissions. */
export type Ec2Api = { [Name in CallName]: Ec2Call<Name> } & {
  /** The account of the credentials; undefined when AWS does not answer in time. */
  account(signal?: AbortSignal): Promise<string | undefined>
  close(): void
}

/** The SDK has no timeout by default. CreateFleet may take most of a minute, because it answers with the VMs. */
const timeouts = { connectionTimeout: 5000, requestTimeout: 90_000, throwOnRequestTimeout: true }

/** Makes the SDK read the profile files again; by default it reads each file once in the life of a process. */
const reloadFiles = { ignoreCache: true }

/** @param env names the proxies, and the profile in the error when no credentials are found */
export function ec2Client(region: string, env: Environment, more: EC2ClientConfig = {}): Ec2Api {
  const profile = env['AWS_PROFILE']
  const requestHandler = { ...timeouts, ...outgoingAgents(env) }
  const shared: EC2ClientConfig = { region, requestHandler, ...reloadFiles, ...more }
  // Adaptive mode slows down while EC2 throttles.
  const adaptive = new EC2Client({ maxAttempts: 5, ...shared, retryMode: 'adaptive' })
  const once = new EC2Client({ ...shared, maxAttempts: 1 })
  for (const client of [adaptive, once]) filterResponses(client)

  function call<Name extends CallName>(
    client: EC2Client,
    Command: new (request: RequestOf<Name>) => unknown,
  ): Ec2Call<Name> {
    return async (request, signal) => {
      signal?.throwIfAborted()
      try {
        const options = signal ? { abortSignal: signal } : {}
        const send = () => client.send(new Command(request) as never, options)
        return (await withFreshCredentials(client, send)) as ResultOf<Name>
      } catch (error) {
        throw signal?.aborted ? signal.reason : withHint(error, region, profile)
      }
    }
  }

  const calls = <Name extends CallName>(client: EC2Client, commands: Record<Name, unknown>) =>
    Object.fromEntries(
      Object.entries(commands).map(([name, command]) => [name, call(client, command as never)]),
    ) as { [Each in Name]: Ec2Call<Each> }

  return {
    ...calls(once, sentOnce),
    ...calls(adaptive, repeated),
    account: (signal) => accountOf(region, env, adaptive.config.credentials, signal),
    close() {
      adaptive.destroy()
      once.destroy()
    },
  }
}

/** Adds the name of the profile or the region to an error that it explains. */
function withHint(error: unknown, region: string, profile: string | undefined): unknown {
  if (!(error instanceof Error)) return error
  const code = codeOf(error)
  if (code === 'CredentialsProviderError' && profile)
    return Object.assign(new Error(`${error.message}; AWS_PROFILE is ${JSON.stringify(profile)}`), {
      name: 'ProfileWithoutCredentials',
      cause: error,
    })
  const hostname = 'hostname' in error && typeof error.hostname === 'string' ? error.hostname : ''
  // Custom endpoints have other names.
  if (code !== 'ENOTFOUND' || !hostname.split('.').includes(region)) return error
  if ('description' in partition(region)) return error
  const message = `host ${hostname} not found, and ${JSON.stringify(region)} is not a known AWS region`
  return Object.assign(new Error(message), { name: 'UnknownRegion', cause: error })
}

/** The URL of EC2, as far as environment variables and the region determine it. */
export function endpointOf(region: string, env: Environment): string {
  const own = env['AWS_ENDPOINT_URL_EC2'] || env['AWS_ENDPOINT_URL']
  return own || `https://ec2.${region}.${partition(region).dnsSuffix}`
}

/** Milliseconds. Short, because the answer is only used to tell two accounts apart. */
const accountDeadlineMs = 3000

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: needs no permission. */
async function accountOf(
  region: string,
  env: Environment,
  credentials: EC2Client['config']['credentials'],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts')
  const requestHandler = { ...timeouts, ...outgoingAgents(env) }
  const client = new STSClient({ region, credentials, maxAttempts: 1, requestHandler })
  const late = AbortSignal.timeout(accountDeadlineMs)
  const abortSignal = signal ? AbortSignal.any([signal, late]) : late
  try {
    const answer = client.send(new GetCallerIdentityCommand({}), { abortSignal })
    // The SDK's search for credentials takes no signal.
    const { Account = '' } = await Promise.race([answer, rejectedBy(abortSignal)])
    return /^\d{12}$/.test(Account) ? Account : undefined
  } catch {
    signal?.throwIfAborted()
    return undefined
  } finally {
    client.destroy()
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** The region of AWS's environment variables or profile; undefined when they name none. */
export async function regionOfSdk(): Promise<string | undefined> {
  const client = new EC2Client({})
  try {
    return await client.config.region()
  } catch {
    return undefined
  } finally {
    client.destroy()
  }
}

/** All pages of a response with `NextToken`. Rejects when a token leads back to an earlier page. */
export async function* pages<Page extends { NextToken?: string | undefined }>(
  fetchPage: (token: string | undefined) => Promise<Page>,
): AsyncGenerator<Page> {
  const seen = new Set<string>()
  let token: string | undefined
  do {
    const page = await fetchPage(token)
    yield page
    token = page.NextToken || undefined
    if (token !== undefined && seen.has(token)) throw notFromEc2('the same page again', 200)
    if (token !== undefined) seen.add(token)
  } while (token)
}

/** EC2 answers RequestExpired both for an expired session and for a wrong clock. */
const refusals = [
  'AuthFailure',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'RequestExpired',
  'UnrecognizedClientException',
]

/** Sends again when AWS refused the credentials and new ones are available; a refused request had no effect. */
async function withFreshCredentials<T>(client: EC2Client, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    if (refusals.includes(codeOf(error)) && (await areOthers(client))) return send()
    throw error
  }
}

async function areOthers({ config: { credentials } }: EC2Client): Promise<boolean> {
  const before = await credentials()
  const now = await credentials({ forceRefresh: true })
  return before.accessKeyId !== now.accessKeyId || before.sessionToken !== now.sessionToken
}

// Responses about instances may contain thousands of them, four kilobytes each. The values that are used are read here while
// the response arrives: the SDK's parser reads whole documents, and would block the event loop for seconds
// (npm run bench aws).

/** What is read of an instance, by the SDK's names. */
export interface Ec2Instance {
  InstanceId?: string
  InstanceType?: string
  LaunchTime?: Date
  State?: { Name?: string }
  StateReason?: { Code?: string; Message?: string }
  StateTransitionReason?: string
  Placement?: { AvailabilityZone?: string }
  InstanceLifecycle?: string
  SpotInstanceRequestId?: string
  Tags?: { Key?: string; Value?: string }[]
}

interface Reservation {
  OwnerId?: string
  Instances?: Ec2Instance[]
}

interface OwnOutputs {
  describeInstances: { Reservations?: Reservation[]; NextToken?: string }
  runInstances: Reservation
}

const instance = xmlFields<Ec2Instance>({
  InstanceId: ['instanceId', xmlText],
  InstanceType: ['instanceType', xmlText],
  LaunchTime: ['launchTime', xmlDate],
  State: ['instanceState', xmlFields({ Name: ['name', xmlText] })],
  StateReason: ['stateReason', xmlFields({ Code: ['code', xmlText], Message: ['message', xmlText] })],
  StateTransitionReason: ['reason', xmlText],
  Placement: ['placement', xmlFields({ AvailabilityZone: ['availabilityZone', xmlText] })],
  InstanceLifecycle: ['instanceLifecycle', xmlText],
  SpotInstanceRequestId: ['spotInstanceRequestId', xmlText],
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
function filterResponses(client: EC2Client): void {
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
