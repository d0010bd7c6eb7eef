// Both ways of launching on EC2 over the fake: a fleet of two offerings, and RunInstances of one.
import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import { awsFleets, awsRunInstances } from '../support/aws-harness.ts'

describeProviderContract('aws, fleets on the fake EC2', awsFleets())
describeProviderContract('aws, RunInstances on the fake EC2', awsRunInstances())
