// Asks for no more than is read: a VM in a listing would else come with its user data, up to 256 KiB each.
// https://cloud.google.com/compute/docs/api/how-tos/performance#partial-response

const operation =
  'name,operationType,operationGroupId,status,insertTime,zone,region,targetLink,error(errors(code,message)),instancesBulkInsertOperationMetadata'
const instance =
  'name,zone,machineType,status,statusMessage,creationTimestamp,lastStopTimestamp,labels,scheduling(provisioningModel,preemptible)'

const fields: [path: RegExp, fields: string][] = [
  [/\/aggregated\/instances$/, `nextPageToken,unreachables,items/*/warning,items/*/instances(${instance})`],
  [/\/operations$/, `nextPageToken,items(${operation})`],
  [/\/instances\/[^/]+$/, instance],
]

/** For GET: the answers of other calls are short. */
export function leanUrl(url: URL): URL {
  const lean = fields.find(([path]) => path.test(url.pathname))?.[1]
  if (lean) url.searchParams.set('fields', lean)
  // One zone that does not answer then leaves the others in the listing, and is named in it.
  if (url.pathname.endsWith('/aggregated/instances')) url.searchParams.set('returnPartialSuccess', 'true')
  return url
}
