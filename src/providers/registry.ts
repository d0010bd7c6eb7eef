// Which module launches VMs of a kind. Each is loaded when a pool needs it, so that no SDK is paid for in vain.
import { ProvisionError, problem } from '../model/problem.ts'
import type { ProviderKind } from '../model/provider-config.ts'
import type { ProviderModule } from './provider.ts'

/** A kind without an entry can be configured and rendered, but not launched by this version. */
const modules: Partial<Record<ProviderKind, () => Promise<ProviderModule>>> = {
  aws: () => import('./aws/aws-provider.ts'),
  gcp: () => import('./gcp/gcp-provider.ts'),
  local: () => import('./local/local-provider.ts'),
}

/** Throws `PROVIDER_UNAVAILABLE` when this version launches no VMs of the kind. */
export async function loadProvider(kind: ProviderKind): Promise<ProviderModule> {
  const load = modules[kind]
  if (load) return load()
  throw new ProvisionError(
    problem('PROVIDER_UNAVAILABLE', `this version has no provider that launches VMs of type ${kind}`, {
      details: { kind, available: Object.keys(modules) },
    }),
  )
}
