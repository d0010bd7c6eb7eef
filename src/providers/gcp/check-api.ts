// The Compute Engine calls of `provision check`, besides those of the provider.
import type { GceApi, GceCall } from './gce-api.ts'

export interface GceImage {
  name?: string
  status?: string
  diskSizeGb?: string
  deprecated?: { state?: string }
}

export interface GceCheckApi extends GceApi {
  getAcceleratorType: GceCall<
    { project: string; zone: string; acceleratorType: string },
    { maximumCardsPerInstance?: number }
  >
  getImage: GceCall<{ project: string; image: string }, GceImage>
  getImageFromFamily: GceCall<{ project: string; family: string }, GceImage>
  getNetwork: GceCall<{ project: string; network: string }, { name?: string }>
  getSubnetwork: GceCall<
    { project: string; region: string; subnetwork: string },
    { name?: string; network?: string }
  >
  getProject: GceCall<{ project: string }, { quotas?: { metric?: string; limit?: number; usage?: number }[] }>
  /** Those of the permissions that the caller has; of the Resource Manager, not of Compute Engine. */
  testPermissions: GceCall<{ project: string; permissions: string[] }, { permissions?: string[] }>
}
