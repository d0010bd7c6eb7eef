// The rows of `provision check` about proxies: which connection goes through which one.
import type { ProvidedPool } from '../agent-setup/index.ts'
import type { MasterConfig } from '../config/index.ts'
import { authorityOf, destinationOf, type Environment, proxyFor, shownProxy } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'
import { type CheckRow, rowsOf } from './check-rows.ts'

interface NetworkInput {
  env: Environment
  providers: readonly AnyProvider[]
}

const variables = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']

/** No row if the environment names no proxy. */
export async function checkNetwork(
  { demand }: MasterConfig,
  pools: ProvidedPool[],
  { env, providers }: NetworkInput,
): Promise<CheckRow[]> {
  if (!variables.some((name) => env[name] || env[name.toLowerCase()])) return []
  const { passed, notChecked, of } = rowsOf('network')
  try {
    const clouds = await Promise.all(
      pools.map(({ provider }) => definitionOf(providers, provider).endpoints?.(provider, env) ?? []),
    )
    const urls = new Set([...(demand.url ? [demand.url] : []), ...clouds.flat()])
    const rows = [...urls].map((url) => {
      const destination = destinationOf(new URL(url))
      const proxy = proxyFor(destination, env)
      const way = proxy ? `through ${shownProxy(proxy)} (${proxy.variable})` : 'directly'
      return passed(authorityOf(destination), way)
    })
    const why = 'never uses a proxy: agents dial the master without the proxy of this machine'
    return pools.length > 0 ? [...rows, notChecked('preflight', why)] : rows
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    return error.problems.map((fault) => of('proxy', fault))
  }
}
