// Which module launches VMs of a kind. Each is loaded when a pool needs it, so that no SDK is paid for in vain.
import type { ProviderKind } from '../model/provider-config.ts'
import type { ProviderModule } from './provider.ts'

const modules: Record<ProviderKind, () => Promise<ProviderModule>> = {
  aws: () => import('./aws/aws-provider.ts'),
  gcp: () => import('./gcp/gcp-provider.ts'),
  local: () => import('./local/local-provider.ts'),
}

export async function loadProvider(kind: ProviderKind): Promise<ProviderModule> {
  return modules[kind]()
}
