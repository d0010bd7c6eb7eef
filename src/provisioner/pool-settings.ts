// What a pool is run with: the configuration in the planner's words.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { ProviderKind } from '../config/provider-config.ts'
import type { PoolSettings } from '../fleet/settings.ts'
import { fixedPeriods } from '../planner/policy.ts'
import { offeringsOf } from '../providers/offerings.ts'

/** Milliseconds for which a cloud's listing may not show a VM that exists; this machine hides nothing. */
const visibility: Record<ProviderKind, number> = { aws: 60_000, gcp: 60_000, local: 0 }

export function poolSettings(pool: ProvidedPool): PoolSettings {
  const { provider } = pool
  return {
    policy: {
      ...fixedPeriods,
      minInstances: provider.min_instances,
      maxInstances: provider.max_instances,
      maxIdle: provider.max_idle_agent_period,
      bootTimeout: provider.boot_timeout,
      reconnectWait: pool.agent_reconnect_wait,
      placementGrace: provider.placement_grace,
      maxAuxPerAgent: pool.max_aux_containers_per_agent,
      launchRate: provider.launch_rate,
    },
    // In the order they are tried: nothing else keeps an on-demand fallback behind spot.
    offerings: offeringsOf(provider).map((offering, preference) => ({ ...offering, preference })),
    launchError: { timeout: provider.launch_error_timeout, retries: provider.launch_error_retries },
    visibility: visibility[provider.type],
  }
}
