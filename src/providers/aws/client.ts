// EC2 through Amazon's SDK, which nothing else in this folder loads. Endpoint and credentials come from AWS's own standard
// places.

import { buffer } from 'node:stream/consumers'
import {
  CreateFleetCommand,
  type CreateFleetRequest,
  type CreateFleetResult,
  CreateLaunchTemplateCommand,
  type CreateLaunchTemplateRequest,
  type CreateLaunchTemplateResult,
  DeleteLaunchTemplateCommand,
  type DeleteLaunchTemplateRequest,
  type DeleteLaunchTemplateResult,
  DescribeImagesCommand,
  type DescribeImagesRequest,
  type DescribeImagesResult,
  DescribeInstancesCommand,
  type DescribeInstancesRequest,
  type DescribeInstancesResult,
  DescribeInstanceTypeOfferingsCommand,
  type DescribeInstanceTypeOfferingsRequest,
  type DescribeInstanceTypeOfferingsResult,
  DescribeInstanceTypesCommand,
  type DescribeInstanceTypesRequest,
  type DescribeInstanceTypesResult,
  DescribeKeyPairsCommand,
  type DescribeKeyPairsRequest,
  type DescribeKeyPairsResult,
  DescribeLaunchTemplatesCommand,
  type DescribeLaunchTemplatesRequest,
  type DescribeLaunchTemplatesResult,
  DescribeLaunchTemplateVersionsCommand,
  type DescribeLaunchTemplateVersionsRequest,
  type DescribeLaunchTemplateVersionsResult,
  DescribeSecurityGroupsCommand,
  type DescribeSecurityGroupsRequest,
  type DescribeSecurityGroupsResult,
  DescribeSpotInstanceRequestsCommand,
  type DescribeSpotInstanceRequestsRequest,
  type DescribeSpotInstanceRequestsResult,
  DescribeSubnetsCommand,
  type DescribeSubnetsRequest,
  type DescribeSubnetsResult,
  EC2Client,
  type EC2ClientConfig,
  GetConsoleOutputCommand,
  type GetConsoleOutputRequest,
  type GetConsoleOutputResult,
  type Instance,
  type Reservation,
  RunInstancesCommand,
  type RunInstancesRequest,
  TerminateInstancesCommand,
  type TerminateInstancesRequest,
  type TerminateInstancesResult,
} from '@aws-sdk/client-ec2'
import type { MetadataOptions } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { codeOf } from './errors.ts'
import { ec2Metadata } from './metadata.ts'

export type {
  CreateFleetError,
  CreateFleetInstance,
  CreateLaunchTemplateRequest,
  Image,
  Instance as Ec2Instance,
  InstanceTypeInfo,
  ResourceType,
  RunInstancesRequest,
  Tag,
  TagSpecification,
} from '@aws-sdk/client-ec2'

/** Rejects with the SDK's error, or with the reason of `signal` once that is aborted. */
export type Ec2Call<Request, Result> = (request: Request, signal?: AbortSignal) => Promise<Result>

/** Every EC2 call that is made, and no other: what a fake has to answer, and what permissions are needed for. */
export interface Ec2Api {
  /** Sent once each: the provider repeats them itself, because the SDK repeats a stock-out, too. */
  runInstances: Ec2Call<RunInstancesRequest, Reservation>
  createFleet: Ec2Call<CreateFleetRequest, CreateFleetResult>

  createLaunchTemplate: Ec2Call<CreateLaunchTemplateRequest, CreateLaunchTemplateResult>
  deleteLaunchTemplate: Ec2Call<DeleteLaunchTemplateRequest, DeleteLaunchTemplateResult>
  describeLaunchTemplates: Ec2Call<DescribeLaunchTemplatesRequest, DescribeLaunchTemplatesResult>
  describeLaunchTemplateVersions: Ec2Call<
    DescribeLaunchTemplateVersionsRequest,
    DescribeLaunchTemplateVersionsResult
  >
  describeImages: Ec2Call<DescribeImagesRequest, DescribeImagesResult>
  describeInstances: Ec2Call<DescribeInstancesRequest, DescribeInstancesResult>
  describeInstanceTypes: Ec2Call<DescribeInstanceTypesRequest, DescribeInstanceTypesResult>
  describeSpotInstanceRequests: Ec2Call<
    DescribeSpotInstanceRequestsRequest,
    DescribeSpotInstanceRequestsResult
  >
  getConsoleOutput: Ec2Call<GetConsoleOutputRequest, GetConsoleOutputResult>
  terminateInstances: Ec2Call<TerminateInstancesRequest, TerminateInstancesResult>

  /** Asked by `provision check` alone. */
  describeInstanceTypeOfferings: Ec2Call<
    DescribeInstanceTypeOfferingsRequest,
    DescribeInstanceTypeOfferingsResult
  >
  describeKeyPairs: Ec2Call<DescribeKeyPairsRequest, DescribeKeyPairsResult>
  describeSecurityGroups: Ec2Call<DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult>
  describeSubnets: Ec2Call<DescribeSubnetsRequest, DescribeSubnetsResult>

  close(): void
}

/** The SDK waits for ever by default. CreateFleet may take most of a minute, because it answers with the VMs. */
const timeouts = { connectionTimeout: 5000, requestTimeout: 90_000, throwOnRequestTimeout: true }

/** Reaches the SDK's reader of profiles, which otherwise reads each file once in the life of a process. */
const readsFilesAnew = { ignoreCache: true }

export function ec2Client(region: string, more: EC2ClientConfig = {}): Ec2Api {
  const shared: EC2ClientConfig = { region, requestHandler: timeouts, ...readsFilesAnew, ...more }
  // Adaptive: slows down by itself while EC2 throttles.
  const patient = new EC2Client({ maxAttempts: 5, ...shared, retryMode: 'adaptive' })
  readLean(patient)
  const once = new EC2Client({ ...shared, maxAttempts: 1 })

  function call<Request, Result>(
    client: EC2Client,
    command: (request: Request) => unknown,
  ): Ec2Call<Request, Result> {
    return async (request, signal) => {
      signal?.throwIfAborted()
      try {
        const options = signal ? { abortSignal: signal } : {}
        const send = () => client.send(command(request) as never, options)
        return (await withFreshCredentials(client, send)) as Result
      } catch (error) {
        throw signal?.aborted ? signal.reason : error
      }
    }
  }

  return {
    runInstances: call(once, (request) => new RunInstancesCommand(request)),
    createFleet: call(once, (request) => new CreateFleetCommand(request)),
    createLaunchTemplate: call(patient, (request) => new CreateLaunchTemplateCommand(request)),
    deleteLaunchTemplate: call(patient, (request) => new DeleteLaunchTemplateCommand(request)),
    describeLaunchTemplates: call(patient, (request) => new DescribeLaunchTemplatesCommand(request)),
    describeLaunchTemplateVersions: call(
      patient,
      (request) => new DescribeLaunchTemplateVersionsCommand(request),
    ),
    describeImages: call(patient, (request) => new DescribeImagesCommand(request)),
    describeInstances: call(patient, (request) => new DescribeInstancesCommand(request)),
    describeInstanceTypes: call(patient, (request) => new DescribeInstanceTypesCommand(request)),
    describeSpotInstanceRequests: call(
      patient,
      (request) => new DescribeSpotInstanceRequestsCommand(request),
    ),
    getConsoleOutput: call(patient, (request) => new GetConsoleOutputCommand(request)),
    terminateInstances: call(patient, (request) => new TerminateInstancesCommand(request)),
    describeInstanceTypeOfferings: call(
      patient,
      (request) => new DescribeInstanceTypeOfferingsCommand(request),
    ),
    describeKeyPairs: call(patient, (request) => new DescribeKeyPairsCommand(request)),
    describeSecurityGroups: call(patient, (request) => new DescribeSecurityGroupsCommand(request)),
    describeSubnets: call(patient, (request) => new DescribeSubnetsCommand(request)),
    close() {
      patient.destroy()
      once.destroy()
    },
  }
}

/** `ofSdk` is what the SDK finds by itself; AWS_DEFAULT_REGION is the name the origin and the AWS CLI read. */
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
    problem('PROVIDER_CONFIG', 'no AWS region is known: none is configured, and this machine is not on EC2', {
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

/** Small pages: parsing one of 1,000 VMs holds up the event loop, parsing one of 100 does not. */
const pageSize = 100

/** Every page of an answer that says with `NextToken` that there are more. */
export async function* pages<Page extends { NextToken?: string | undefined }>(
  fetchPage: (token: string | undefined) => Promise<Page>,
): AsyncGenerator<Page> {
  let token: string | undefined
  do {
    const page = await fetchPage(token)
    yield page
    token = page.NextToken || undefined
  } while (token)
}

export async function* instancePages(
  api: Ec2Api,
  request: DescribeInstancesRequest,
  signal?: AbortSignal,
): AsyncGenerator<Instance[]> {
  const fetchPage = (token: string | undefined) =>
    api.describeInstances(
      { ...request, MaxResults: pageSize, ...(token ? { NextToken: token } : {}) },
      signal,
    )
  for await (const { Reservations = [] } of pages(fetchPage))
    yield Reservations.flatMap((reservation) => reservation.Instances ?? [])
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

/** EC2 says RequestExpired for a session that is over, and for a clock that is wrong. */
const refusals = [
  'AuthFailure',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'RequestExpired',
  'UnrecognizedClientException',
]

/** Sends once more when AWS refused the credentials and others have taken their place; such a refusal had no effect. */
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

// Most of what EC2 says about a VM is not read here. Cutting it out before the SDK parses it takes
// two thirds off the time that a page of VMs holds up the event loop (npm run bench aws).

/** Elements of a VM in DescribeInstances' answer that hold others; none of them holds one of its own name. */
const unread = [
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
const subtrees = new RegExp(`<(${unread.join('|')})>[\\s\\S]*?</\\1>`, 'g')

/** The values read here, all of them without elements inside. */
const read = new Set([
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
])
const values = /<(\w+)>[^<]*<\/\1>/g

function leanAnswer(xml: string): string {
  return xml.replace(subtrees, '').replace(values, (whole, name: string) => (read.has(name) ? whole : ''))
}

/** Answers to DescribeInstances are cut down before the client's own deserializer reads them. */
function readLean(client: EC2Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      const response = result.response as { statusCode?: number; body?: NodeJS.ReadableStream }
      if (context.commandName !== 'DescribeInstancesCommand' || response.statusCode !== 200) return result
      const xml = await buffer(response.body as NodeJS.ReadableStream)
      return {
        ...result,
        response: Object.assign(response, { body: Buffer.from(leanAnswer(xml.toString())) }),
      }
    },
    // Low: nearest to the network, so that it sees the answer first.
    { step: 'deserialize', priority: 'low', name: 'leanAnswers' },
  )
}
