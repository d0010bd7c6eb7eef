// The EC2 calls this provider makes, and no others: what a fake has to answer, and what permissions are needed for.
import type {
  CreateFleetRequest,
  CreateFleetResult,
  CreateLaunchTemplateRequest,
  CreateLaunchTemplateResult,
  DeleteLaunchTemplateRequest,
  DeleteLaunchTemplateResult,
  DescribeImagesRequest,
  DescribeImagesResult,
  DescribeInstancesRequest,
  DescribeInstancesResult,
  DescribeInstanceTypesRequest,
  DescribeInstanceTypesResult,
  DescribeLaunchTemplatesRequest,
  DescribeLaunchTemplatesResult,
  DescribeLaunchTemplateVersionsRequest,
  DescribeLaunchTemplateVersionsResult,
  DescribeSpotInstanceRequestsRequest,
  DescribeSpotInstanceRequestsResult,
  GetConsoleOutputRequest,
  GetConsoleOutputResult,
  Reservation,
  RunInstancesRequest,
  TerminateInstancesRequest,
  TerminateInstancesResult,
} from '@aws-sdk/client-ec2'

/** Rejects with the SDK's error, or with the reason of `signal` once that is aborted. */
export type Ec2Call<Request, Result> = (request: Request, signal?: AbortSignal) => Promise<Result>

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
  close(): void
}
