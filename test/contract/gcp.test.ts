import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import { abilities } from '../../src/testing/provider-harness.ts'
import { gcpCloud } from '../support/gcp-cloud.ts'
import { gcpHarness } from '../support/gcp-harness.ts'

describeProviderContract('gcp, on the fake Compute Engine', {
  can: [...abilities, 'find', 'cloud_time', 'traces', 'clusters', 'shared_listing'],
  open: async () => gcpHarness(await gcpCloud()),
})
