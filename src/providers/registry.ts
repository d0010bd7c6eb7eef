// Which module launches VMs of a kind. Each is loaded when a pool needs it, so that no SDK is paid for in vain.
import type { ProviderKind } from '../config/provider-config.ts'
import type { ProviderModule } from './contract.ts'

const modules: Record<ProviderKind, () => Promise<ProviderModule>> = {
  aws: () => import('./aws/provider.ts'),
  gcp: () => import('./gcp/provider.ts'),
  local: () => import('./local/provider.ts'),
}

export async function loadProvider(kind: ProviderKind): Promise<ProviderModule> {
  return modules[kind]()
}
