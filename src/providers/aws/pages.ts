// EC2's pages, one after the other.
import type { DescribeInstancesRequest, Instance } from '@aws-sdk/client-ec2'
import type { Ec2Api } from './ec2-api.ts'

/** Small pages: parsing one of 1,000 VMs holds up the event loop, parsing one of 100 does not. */
export const pageSize = 100

/** Every page of an answer that says with `NextToken` that there are more. */
export async function* pages<Page extends { NextToken?: string | undefined }>(
  fetchPage: (token: string | undefined) => Promise<Page>,
): AsyncGenerator<Page> {
  let token: string | undefined
  do {
    const page = await fetchPage(token)
    yield page
    token = page.NextToken || undefined
  } while (token)
}

export async function* instancePages(
  api: Ec2Api,
  request: DescribeInstancesRequest,
  signal?: AbortSignal,
): AsyncGenerator<Instance[]> {
  const fetchPage = (token: string | undefined) =>
    api.describeInstances(
      { ...request, MaxResults: pageSize, ...(token ? { NextToken: token } : {}) },
      signal,
    )
  for await (const { Reservations = [] } of pages(fetchPage))
    yield Reservations.flatMap((reservation) => reservation.Instances ?? [])
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}
