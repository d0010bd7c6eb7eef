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
import type { MetadataOptions } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { codeOf } from './errors.ts'
import { ec2Metadata } from './metadata.ts'

export type {
  CreateFleetError,
  CreateFleetInstance,
  CreateLaunchTemplateRequest,
  DescribeInstancesRequest,
  Image,
  Instance as Ec2Instance,
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
type ResultOf<Name extends CallName> = Awaited<ReturnType<SentCommand<Name>>>['output'] & Answered

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

/** @param profile the value of AWS_PROFILE, named in the error when no credentials are found */
export function ec2Client(region: string, more: EC2ClientConfig = {}, profile?: string): Ec2Api {
  const shared: EC2ClientConfig = { region, requestHandler: timeouts, ...reloadFiles, ...more }
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
    account: (signal) => accountOf(region, adaptive.config.credentials, signal),
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

/** Milliseconds. Short, because the answer is only used to tell two accounts apart. */
const accountDeadlineMs = 3000

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: needs no permission. */
async function accountOf(
  region: string,
  credentials: EC2Client['config']['credentials'],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts')
  const client = new STSClient({ region, credentials, maxAttempts: 1, requestHandler: timeouts })
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

/** `ofSdk` is the region the SDK finds; Determined's provisioner and the AWS CLI read AWS_DEFAULT_REGION. */
export async function regionOf(
  configured: string | undefined,
  ofSdk: () => Promise<string | undefined>,
  metadata: MetadataOptions,
): Promise<string> {
  const known = configured ?? (await ofSdk()) ?? metadata.env['AWS_DEFAULT_REGION']
  if (known) return known
  try {
    const here = await ec2Metadata(metadata).get('placement/region')
    if (here) return here
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
  }
  throw new ProvisionError(
    problem('PROVIDER_CONFIG', 'no AWS region: none is configured, and this machine is not on EC2', {
      remedy: "Set `region` in the pool's provider block, or AWS_REGION.",
    }),
  )
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

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
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

// Most of what EC2 returns about a VM is not used. Removing it before the SDK parses the response saves two thirds of
// the time for which a page of VMs blocks the event loop (npm run bench aws).

/** Elements of a VM in the response to DescribeInstances that contain others; none contains one of its own name. */
const unusedElements = [
  'networkInterfaceSet',
  'blockDeviceMapping',
  'groupSet',
  'metadataOptions',
  'capacityReservationSpecification',
  'maintenanceOptions',
  'privateDnsNameOptions',
  'networkPerformanceOptions',
  'hibernationOptions',
  'enclaveOptions',
  'cpuOptions',
  'productCodes',
]
const subtrees = new RegExp(`<(${unusedElements.join('|')})>[\\s\\S]*?</\\1>`, 'g')

/** The values that are used; none of them contains other elements. */
const usedValues = new Set([
  'instanceId',
  'imageId',
  'instanceType',
  'launchTime',
  'availabilityZone',
  'instanceLifecycle',
  'spotInstanceRequestId',
  'reason',
  'code',
  'name',
  'message',
  'key',
  'value',
  'nextToken',
  'ownerId',
  'requestId',
])
const values = /<(\w+)>[^<]*<\/\1>/g

function trimAnswer(xml: string): string {
  return xml
    .replace(subtrees, '')
    .replace(values, (whole, name: string) => (usedValues.has(name) ? whole : ''))
}

// A portal, a proxy or another service may answer instead of EC2, with status 200. Missing instances would then count
// as terminated.

/** The list that EC2's response must contain, besides its root element and a request id. */
const listIn: Record<string, string> = { DescribeInstances: 'reservationSet' }

/** What the response is instead of EC2's; undefined for EC2's response to `action`. */
function foreignContent(xml: string, action: string, ok: boolean): string | undefined {
  const text = xml.trim()
  if (!text) return 'an empty body'
  if (/^<(?:!doctype html|html)\b/i.test(text)) return 'an HTML page'
  if (/^[[{"]/.test(text)) return 'JSON'
  const found = /^\uFEFF?(?:<[?!][^>]*>\s*)*<([\w:.-]+)[\s/>]/.exec(text)?.[1]
  if (!found) return 'a body that is not XML'
  if (/^html$/i.test(found)) return 'an HTML page'
  // The SDK accepts errors of several shapes.
  if (!ok) return text.includes('<Code>') ? undefined : 'XML that is not an EC2 error'
  const root = `${action}Response`
  if (found !== root) return `XML that is not a ${root}`
  if (!text.endsWith(`</${root}>`)) return `a truncated ${root}`
  const list = listIn[action]
  if (list && !new RegExp(`<${list}[\\s/>]`).test(text)) return `a ${root} without a ${list}`
  return /<requestId>[^<]+<\/requestId>/i.test(text) ? undefined : `a ${root} without a request id`
}

interface HttpAnswer {
  statusCode: number
  headers: Record<string, string | undefined>
  body: NodeJS.ReadableStream
}

/**
 * Rejects responses that are not EC2's, and trims those to DescribeInstances, before the client's deserializer reads
 * them.
 */
function filterResponses(client: EC2Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      const response = result.response as HttpAnswer
      const { statusCode } = response
      const xml = (await buffer(response.body)).toString()
      const action = context.commandName?.replace(/Command$/, '') ?? ''
      const ok = statusCode >= 200 && statusCode < 300
      const foreign = foreignContent(xml, action, ok)
      if (foreign) throw notFromEc2(foreign, statusCode)
      const body = Buffer.from(ok && action === 'DescribeInstances' ? trimAnswer(xml) : xml)
      return { ...result, response: Object.assign(response, { body }) }
    },
    // Low priority is nearest to the network, so that it gets the response first.
    { step: 'deserialize', priority: 'low', name: 'ownAnswers' },
  )
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as HttpAnswer
      const answeredAt = Date.parse(headers['date'] ?? '')
      if (Number.isFinite(answeredAt)) Object.assign(result.output, { answeredAt } satisfies Answered)
      return result
    },
    { step: 'initialize', name: 'answeredAt' },
  )
}

function notFromEc2(what: string, httpStatusCode: number): Error {
  return Object.assign(new Error(`answered HTTP ${httpStatusCode} with ${what}`), {
    name: 'NotFromEc2',
    $metadata: { httpStatusCode },
  })
}
