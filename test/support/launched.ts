// What a pool of a configuration launches, as a start plans it; with certificates of two CAs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { createDevelopmentChain } from '../../src/pki/development-ca.ts'
import type { Instance, KnownInstance } from '../../src/planner/snapshot.ts'
import { definitionOf } from '../../src/providers/definition.ts'
import { type AnyProvider, builtInProviders } from '../../src/providers/index.ts'
import { planAll } from '../../src/provisioner/prepare.ts'
import { drifted } from '../../src/rollout/drift.ts'
import type { LaunchedNow } from '../../src/rollout/generation.ts'
import { parseConfig } from './config.ts'

export const masterName = 'master.test'

/** A folder with `chain.crt`, `other.crt` of another CA, `listener.crt`, and `own.hbs`, a template. */
export interface LaunchFolder {
  dir: string
  dispose(): void
}

export async function launchFolder(): Promise<LaunchFolder> {
  const dir = mkdtempSync(join(tmpdir(), 'launched-'))
  const make = async (file: string, names: string[]) => {
    const { chain, leaf } = await createDevelopmentChain({ names, ips: [], days: 300, now: Date.now() })
    writeFileSync(join(dir, `${file}.crt`), chain)
    writeFileSync(join(dir, `${file}.key`), leaf.key)
  }
  await make('chain', [masterName, 'also.test'])
  await make('other', [masterName, 'also.test'])
  await make('listener', ['listener.test'])
  writeFileSync(join(dir, 'own.hbs'), '#!/bin/bash\necho mine\n')
  return { dir, dispose: () => rmSync(dir, { recursive: true, force: true }) }
}

export interface Launched extends LaunchedNow {
  offerings: ReturnType<AnyProvider['offerings']>
  sha256: string
}

/** `provider` and `top` are keys of the file; a block of the top replaces that of the base. */
export async function launchedOf(
  { dir }: LaunchFolder,
  provider: object,
  top: object = {},
  providers: readonly AnyProvider[] = builtInProviders,
): Promise<Launched> {
  const file = {
    cluster_id: 'c',
    security: { tls: { cert: 'chain.crt', key: 'chain.key' } },
    ...top,
    resource_pools: [{ pool_name: 'p', provider }],
  }
  const { config, problems } = parseConfig(stringify(file), join(dir, 'master.yaml'), { env: {}, providers })
  if (!config) throw new Error(JSON.stringify([provider, problems.map(({ message }) => message)]))
  const { plans } = await planAll(config, { now: Date.now(), providers, localAgent: ['agent'] })
  const [plan] = plans
  if (!plan?.launchedNow) throw new Error(JSON.stringify(plan?.problems.map(({ message }) => message)))
  const offerings = definitionOf(providers, plan.pool.provider).offerings(plan.pool.provider)
  return { ...plan.launchedNow, offerings, sha256: plan.userData!.sha256 }
}

/** Keys by which an instance of the first offering of `before` differs from `after`. */
export function keysBetween(
  before: Launched,
  after: LaunchedNow & Pick<Launched, 'offerings'>,
  changes: Partial<Instance> = {},
): readonly string[] {
  const [{ instanceType, capacityType, zone: offeredZone } = before.offerings[0]!] = before.offerings
  const instance = { instanceType, capacityType, offeredZone, ...changes }
  return drifted(after)(instance as KnownInstance, before.generation)
}
