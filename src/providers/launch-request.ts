// The request a launch would send, from the provider's own builder. No SDK is loaded.

import type { ProviderConfig } from '../config/provider-config.ts'
import { buildRequest as aws } from './aws/request.ts'
import type { RequestInput } from './contract.ts'
import { buildRequest as gcp } from './gcp/request.ts'
import type { LaunchRequest } from './launch.ts'
import { buildRequest as local } from './local/request.ts'

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
