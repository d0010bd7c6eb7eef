// The SDK's client behind the calls of ec2-api.ts. Endpoint and credentials come from AWS's own standard places.
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
import type { Ec2CheckApi } from './check-api.ts'
import type { Ec2Call } from './ec2-api.ts'
import { withFreshCredentials } from './fresh-credentials.ts'
import { readLean } from './lean-answers.ts'

/** The SDK waits for ever by default. CreateFleet may take most of a minute, because it answers with the VMs. */
const timeouts = { connectionTimeout: 5000, requestTimeout: 90_000, throwOnRequestTimeout: true }

/** Reaches the SDK's reader of profiles, which otherwise reads each file once in the life of a process. */
const readsFilesAnew = { ignoreCache: true }

export function ec2Client(region: string, more: EC2ClientConfig = {}): Ec2CheckApi {
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
