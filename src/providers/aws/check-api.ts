// The EC2 calls of `provision check`, besides those of the provider.
import type {
  DescribeInstanceTypeOfferingsRequest,
  DescribeInstanceTypeOfferingsResult,
  DescribeKeyPairsRequest,
  DescribeKeyPairsResult,
  DescribeSecurityGroupsRequest,
  DescribeSecurityGroupsResult,
  DescribeSubnetsRequest,
  DescribeSubnetsResult,
} from '@aws-sdk/client-ec2'
import type { Ec2Api, Ec2Call } from './ec2-api.ts'

export interface Ec2CheckApi extends Ec2Api {
  describeInstanceTypeOfferings: Ec2Call<
    DescribeInstanceTypeOfferingsRequest,
    DescribeInstanceTypeOfferingsResult
  >
  describeKeyPairs: Ec2Call<DescribeKeyPairsRequest, DescribeKeyPairsResult>
  describeSecurityGroups: Ec2Call<DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult>
  describeSubnets: Ec2Call<DescribeSubnetsRequest, DescribeSubnetsResult>
}
