// EC2 through Amazon's SDK; no other file in this folder loads it. Endpoint and credentials come from AWS's standard
// sources. A response is used only when it is EC2's response to the call.

import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  CreatePlacementGroupCommand,
  DeleteLaunchTemplateCommand,
  DeletePlacementGroupCommand,
  DescribeCapacityReservationsCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeKeyPairsCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribePlacementGroupsCommand,
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
import { checkMayAct, type Environment, type MayAct, outgoingAgents } from '../../platform/index.ts'
import { codeOf, notFromEc2 } from './errors.ts'
import { type Answered, filterResponses, type OwnOutputs } from './responses.ts'

export type {
  CapacityReservation,
  CreateFleetError,
  CreateFleetInstance,
  CreateLaunchTemplateRequest,
  CreatePlacementGroupRequest,
  DescribeInstancesRequest,
  Image,
  InstanceTypeInfo,
  PlacementGroup,
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
  createPlacementGroup: CreatePlacementGroupCommand,
  deletePlacementGroup: DeletePlacementGroupCommand,
  describePlacementGroups: DescribePlacementGroupsCommand,
  describeLaunchTemplates: DescribeLaunchTemplatesCommand,
  describeLaunchTemplateVersions: DescribeLaunchTemplateVersionsCommand,
  describeCapacityReservations: DescribeCapacityReservationsCommand,
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

/** The SDK has no timeout by default. */
const timeouts = { connectionTimeout: 5000, requestTimeout: 90_000, throwOnRequestTimeout: true }

/**
 * A whole answer may take longer, such as a page of a large fleet. A launch that is given up is repeated with its token, never
 * with another one. CreateFleet may take most of a minute, because it answers with the VMs.
 */
const usualSilence: Silence = { reading: 15_000, runInstances: 30_000, createFleet: 90_000 }

/** Makes the SDK read the profile files again; by default it reads each file once in the life of a process. */
const reloadFiles = { ignoreCache: true }

export interface Ec2ClientOptions extends EC2ClientConfig {
  /** See `ProviderContext`. */
  mayAct?: MayAct | undefined
  silence?: Silence
}

/** Milliseconds without a byte until a call is given up, as after a cut network. From 6 s on, the SDK adds three. */
export interface Silence {
  /** Any call but a launch. */
  reading: number
  runInstances: number
  createFleet: number
}

/** @param env names the proxies, and the profile in the error when no credentials are found */
export function ec2Client(
  region: string,
  env: Environment,
  { mayAct, silence = usualSilence, ...more }: Ec2ClientOptions = {},
): Ec2Api {
  const profile = env['AWS_PROFILE']
  const silentAfter = (socketTimeout: number) => ({
    requestHandler: { ...timeouts, socketTimeout, ...outgoingAgents(env) },
  })
  const shared: EC2ClientConfig = { region, ...reloadFiles, ...more }
  // Adaptive mode slows down while EC2 throttles.
  const adaptive = new EC2Client({
    maxAttempts: 5,
    ...silentAfter(silence.reading),
    ...shared,
    retryMode: 'adaptive',
  })
  const once = new EC2Client({ ...silentAfter(silence.createFleet), ...shared, maxAttempts: 1 })
  for (const client of [adaptive, once]) {
    filterResponses(client)
    checkLast(client, mayAct)
  }

  function call<Name extends CallName>(
    client: EC2Client,
    Command: new (request: RequestOf<Name>) => unknown,
    requestTimeout: number | undefined,
  ): Ec2Call<Name> {
    return async (request, signal) => {
      signal?.throwIfAborted()
      try {
        const options = {
          ...(signal && { abortSignal: signal }),
          ...(requestTimeout !== undefined && { requestTimeout }),
        }
        const send = () => client.send(new Command(request) as never, options)
        return (await withFreshCredentials(client, send)) as ResultOf<Name>
      } catch (error) {
        throw signal?.aborted ? signal.reason : withHint(error, region, profile)
      }
    }
  }

  const calls = <Name extends CallName>(
    client: EC2Client,
    commands: Record<Name, unknown>,
    untilAnswer: { [Each in Name]?: number } = {},
  ) =>
    Object.fromEntries(
      Object.entries(commands).map(([name, command]) => [
        name,
        call(client, command as never, untilAnswer[name as Name]),
      ]),
    ) as { [Each in Name]: Ec2Call<Each> }

  return {
    ...calls(once, sentOnce, { runInstances: silence.runInstances }),
    ...calls(adaptive, repeated),
    account: (signal) => accountOf(region, env, adaptive.config.credentials, signal),
    close() {
      adaptive.destroy()
      once.destroy()
    },
  }
}

/**
 * Asks `mayAct` for each attempt of a call that is not only read, when it is signed and nothing but the network follows
 * (https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/middleware-stack.html). A call whose name is not one of a read
 * counts as a change. The SDK does not repeat a request that was stopped: the error is none of its transient ones.
 */
function checkLast(client: EC2Client, mayAct: MayAct | undefined): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const action = commandName.replace(/Command$/, '')
        if (!/^(?:Describe|Get|List)/.test(action)) checkMayAct(mayAct, action)
        return next(args)
      },
    // Retries and signatures have high priority in this step, so they are outside.
    { step: 'finalizeRequest', priority: 'low', name: 'mayAct' },
  )
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

/** The host of STS in a region, and the partition of the region. */
export function stsOf(region: string): { host: string; partition: string } {
  const { name, dnsSuffix } = partition(region)
  return { host: `sts.${region}.${dnsSuffix}`, partition: name }
}

/** Milliseconds. Short, because the answer is only used to tell two accounts apart. */
const accountDeadlineMs = 3000

/** Loads what the first question for the account would have to wait for. */
export async function prepareAccount(): Promise<void> {
  await import('@aws-sdk/client-sts')
  ec2Client('us-east-1', {}).close()
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: needs no permission. */
async function accountOf(
  region: string,
  env: Environment,
  credentials: EC2Client['config']['credentials'],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts')
  const requestHandler = { ...timeouts, socketTimeout: accountDeadlineMs, ...outgoingAgents(env) }
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
