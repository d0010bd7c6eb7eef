// The request a launch would send, from the provider's own builder. No SDK is loaded.
import type { LaunchRequest } from '../model/launch.ts'
import type { ProviderConfig } from '../model/provider-config.ts'
import { buildRequest as aws } from '../providers/aws/request.ts'
import { buildRequest as gcp } from '../providers/gcp/request.ts'
import { buildRequest as local } from '../providers/local/request.ts'
import type { RequestInput } from '../providers/provider.ts'

export function launchRequestOf(input: RequestInput<ProviderConfig>): LaunchRequest {
  const { config } = input
  switch (config.type) {
    case 'aws':
      return aws({ ...input, config })
    case 'gcp':
      return gcp({ ...input, config })
    case 'local':
      return local({ ...input, config })
  }
}
