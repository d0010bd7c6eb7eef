// Which pools a command means.
import type { Client } from '../http/client.ts'
import { fleetStatus } from '../http/fleet-client.ts'
import { ProvisionError, problem } from '../problems/problem.ts'

/** Those named, all with --all, or the only one there is. Throws USAGE where that is not clear. */
export async function pickPools(
  client: Client,
  named: string[],
  all: boolean | undefined,
): Promise<string[]> {
  if (named.length > 0 && all) throw usage('name pools or give --all, not both', 'Leave one of them out.')
  if (named.length > 0) return [...new Set(named)]
  const { pools } = await fleetStatus(client)
  const names = pools.map(({ pool }) => pool)
  if (all || names.length === 1) return names
  throw usage(`which pool is meant? There are: ${names.join(', ')}`, 'Name it, or give --all.')
}

/** The only pool there is, unless it is named. */
export async function pickPool(client: Client, named: string | undefined): Promise<string> {
  if (named !== undefined) return named
  const { pools } = await fleetStatus(client)
  const names = pools.map(({ pool }) => pool)
  if (names.length === 1) return names[0]!
  throw usage(`which pool is meant? There are: ${names.join(', ')}`, 'Name it with --pool.')
}

function usage(message: string, remedy: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy }))
}
