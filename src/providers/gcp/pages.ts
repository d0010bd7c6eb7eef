// Compute Engine's pages, one after the other, and what a page of all zones says.

import { GceError } from './errors.ts'
import type { GceApi, GceInstance, GceOperation, InstancePage } from './gce-api.ts'
import { lastPart } from './instances.ts'

interface Page {
  nextPageToken?: string
}

/** Every page of an answer that says with `nextPageToken` that there are more. */
async function* pages<P extends Page>(
  fetchPage: (token: { pageToken?: string }) => Promise<P>,
): AsyncGenerator<P> {
  let token: string | undefined
  do {
    const page = await fetchPage(token ? { pageToken: token } : {})
    yield page
    token = page.nextPageToken || undefined
  } while (token)
}

export interface InstanceQuestion {
  project: string
  filter: string
  /** Of the pool. VMs of all regions are listed, but the outage of another must not hold this one up. */
  region: string
}

/** VMs of all zones, page by page. A zone of the region that did not answer is thrown after the last page. */
export async function* instancePages(
  api: GceApi,
  { region, ...request }: InstanceQuestion,
  signal?: AbortSignal,
): AsyncGenerator<GceInstance[]> {
  const silent = new Set<string>()
  for await (const page of pages((token) => api.listInstances({ ...request, ...token }, signal))) {
    for (const place of silentPlaces(page)) if (lastPart(place).startsWith(`${region}-`)) silent.add(place)
    yield Object.values(page.items ?? {}).flatMap(({ instances = [] }) => instances)
  }
  if (silent.size) throw new GceError('SERVICE_UNAVAILABLE', `no answer from ${[...silent].join(', ')}`)
}

function silentPlaces({ items = {}, unreachables = [] }: InstancePage): string[] {
  const warned = Object.entries(items).filter(
    ([, { warning }]) => warning?.code && warning.code !== 'NO_RESULTS_ON_PAGE',
  )
  return [...unreachables, ...warned.map(([place]) => place)]
}

export async function allInstances(
  api: GceApi,
  request: InstanceQuestion,
  signal?: AbortSignal,
): Promise<GceInstance[]> {
  const found: GceInstance[] = []
  for await (const page of instancePages(api, request, signal)) found.push(...page)
  return found
}

export async function allOperations(
  api: GceApi,
  request: { project: string; zone: string; filter: string },
  signal?: AbortSignal,
): Promise<GceOperation[]> {
  const found: GceOperation[] = []
  for await (const { items = [] } of pages((token) => api.listOperations({ ...request, ...token }, signal)))
    found.push(...items)
  return found
}
