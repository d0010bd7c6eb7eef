// The account of the trials, and what several of them do: launching, and waiting for what EC2 shows late.
import { randomUUID } from 'node:crypto'
import type { EC2Client } from '@aws-sdk/client-ec2'
import type { MasterConfig } from '../../src/config/index.ts'
import type { Instance, Offering } from '../../src/planner/snapshot.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import type { LaunchOrder, Ownership, Provider, ProviderContext } from '../../src/providers/contract.ts'

export interface Account {
  ec2: EC2Client
  provider: Provider
  context: ProviderContext<AwsConfig>
  /** Of the pool. */
  config: AwsConfig
  file: MasterConfig
  owner: Ownership
  offerings: Offering[]
  minutes: number
  /** Every VM in a response to a launch. */
  ids: Set<string>
}

export type Trial = (account: Account, signal: AbortSignal) => Promise<string | undefined>

/** Milliseconds; EC2 shows new VMs within a minute, and terminates them within a few. */
const timeoutMs = 300_000
const againMs = 2000

export async function launch(account: Account, order: LaunchOrder, signal: AbortSignal) {
  const { instances, failures } = await account.provider.launch(order, signal)
  for (const { id } of instances) account.ids.add(id)
  const reasons = failures.map(({ class: kind, problem }) => `(${kind}) ${problem.message}`).join('; ')
  return { instances, reasons }
}

/** The VM powers itself off, in case nothing else terminates it. */
export function scriptOf({ minutes }: Account): string {
  return `#!/bin/bash\nshutdown -h +${Math.ceil(minutes)}\necho "trial ä"\n`
}

export function orderOf(account: Account, count: number, offerings: Offering[]): LaunchOrder {
  const script = scriptOf(account)
  const packed = Buffer.from(script)
  const bytes = { script: packed.length, packed: packed.length, limit: 16_384 }
  const userData = { script, encoding: 'plain' as const, packed, bytes, sha256: '' }
  return { intent: { id: randomUUID(), count, offerings }, owner: account.owner, userData }
}

export async function eventually(
  { context: { clock } }: Account,
  signal: AbortSignal,
  look: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const until = clock.now() + timeoutMs
  for (;;) {
    const wrong = await look()
    if (!wrong || clock.now() > until) return wrong
    await clock.sleep(againMs, signal)
  }
}

export function idsOf(instances: Instance[]): string[] {
  return instances.map(({ id }) => id).sort()
}
