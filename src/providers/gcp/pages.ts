// Compute Engine's pages, one after the other, and what a page of all zones says.
import type { GceApi, GceInstance, GceOperation, InstancePage } from './gce-api.ts'
import { GceError } from './gce-error.ts'

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

/** VMs of all zones, page by page. A zone that did not answer is thrown after the last page. */
export async function* instancePages(
  api: GceApi,
  request: { project: string; filter: string },
  signal?: AbortSignal,
): AsyncGenerator<GceInstance[]> {
  const silent = new Set<string>()
  for await (const page of pages((token) => api.listInstances({ ...request, ...token }, signal))) {
    for (const place of silentZones(page)) silent.add(place)
    yield Object.values(page.items ?? {}).flatMap(({ instances = [] }) => instances)
  }
  if (silent.size) throw new GceError('SERVICE_UNAVAILABLE', `no answer from ${[...silent].join(', ')}`)
}

function silentZones({ items = {}, unreachables = [] }: InstancePage): string[] {
  const warned = Object.entries(items).filter(
    ([, { warning }]) => warning?.code && warning.code !== 'NO_RESULTS_ON_PAGE',
  )
  return [...unreachables, ...warned.map(([place]) => place)]
}

export async function allInstances(
  api: GceApi,
  request: { project: string; filter: string },
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
