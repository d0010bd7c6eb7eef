// Sends requests to Google: adds credentials and a deadline, and always ends with a response or a `GceError`.
import about from '../../../package.json' with { type: 'json' }
import {
  checkMayAct,
  type Fetch,
  fetchWhileHeard,
  type MayAct,
  notSentIn,
  orAborted,
  reasonOf,
} from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { bodyOfKind, credentialsError, errorOfAnswer, GceError, gceErrorIn, isProxyError } from './errors.ts'

/** Milliseconds. */
export interface Timeouts {
  /** For a whole `wait`, which is answered after up to two minutes, and for any other whole call. */
  waitMs: number
  callMs: number
  /** Without a byte of the answer, as after a cut network: of a call that reads, and of one that changes something. */
  readSilenceMs: number
  changeSilenceMs: number
}

const usual: Timeouts = { waitMs: 150_000, callMs: 60_000, readSilenceMs: 15_000, changeSilenceMs: 30_000 }

/** Identify the program in audit logs and to Google's support. */
const ownHeaders = {
  'user-agent': `dynamic-agent-provisioner/${about.version}`,
  'x-goog-api-client': `gl-node/${process.versions.node}`,
}

export interface TransportInput {
  credentials: Credentials
  fetch: Fetch
  timeouts?: Partial<Timeouts>
  /** See `ProviderContext`. */
  mayAct?: MayAct | undefined
}

export type Send = (url: string | URL, init?: RequestInit) => Promise<Response>

/** Resolves with the response once its whole body has arrived; the client passes its own signal in `init`. */
export function transport({ credentials, fetch, timeouts = {}, mayAct }: TransportInput): Send {
  const { waitMs, callMs, readSilenceMs, changeSilenceMs } = { ...usual, ...timeouts }
  return async (url, { method = 'GET', headers, body, signal } = {}) => {
    const target = method === 'GET' ? trimUrl(new URL(url)) : new URL(url)
    const isWait = /\/wait$/.test(target.pathname)
    const deadline = AbortSignal.timeout(isWait ? waitMs : callMs)
    const stop = signal ? AbortSignal.any([signal, deadline]) : deadline
    try {
      const authorized = new Headers(headers)
      // A token server can hang, too.
      for (const [name, value] of await orAborted(credentials.headers(target), stop))
        authorized.set(name, value)
      for (const [name, value] of Object.entries(ownHeaders)) authorized.set(name, value)
      const isChange = changes(method, target)
      if (isChange) checkMayAct(mayAct, `${method} ${target.pathname}`)
      const request: RequestInit = {
        method,
        headers: authorized,
        // The client gives GET requests an empty body, which fetch rejects.
        ...(method !== 'GET' && body ? { body } : {}),
        signal: stop,
        redirect: 'error',
      }
      const silenceMs = isWait ? waitMs : isChange ? changeSilenceMs : readSilenceMs
      const { response, text } = await fetchWhileHeard(fetch, target, request, silenceMs)
      const date = response.headers.get('date')
      const answer = { status: response.status, headers: response.headers, text, host: target.host }
      if (!response.ok) throw errorOfAnswer(answer)
      const content = bodyOfKind(answer, kindAt(method, target.pathname))
      return new ParsedResponse(content, text, {
        status: response.status,
        headers: { 'content-type': 'application/json', ...(date ? { date } : {}) },
      })
    } catch (error) {
      if (signal?.aborted || notSentIn(error)) throw error
      throw gceErrorIn(error) ?? unanswered(error, deadline.aborted || isTimedOut(error))
    }
  }
}

/** Two calls use POST and only read: waiting for an operation, and asking which permissions the caller has. */
function changes(method: string, { pathname }: URL): boolean {
  return method !== 'GET' && !/\/operations\/[^/]+\/wait$|:testIamPermissions$/.test(pathname)
}

/** Its JSON was parsed for the check already: a page of 500 VMs is not parsed twice. */
class ParsedResponse extends Response {
  override json: () => Promise<unknown>

  constructor(content: unknown, text: string, init: ResponseInit) {
    super(text, init)
    this.json = async () => content
  }
}

function isTimedOut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ETIMEDOUT'
}

function unanswered(error: unknown, late: boolean): GceError {
  if (isProxyError(error)) return new GceError('proxy', reasonOf(error), { cause: error })
  return late
    ? new GceError('timeout', 'no answer in time', { cause: error })
    : new GceError('network', reasonOf(error), { cause: error })
}

// Requests only the fields that are read: otherwise each VM in a listing would include its user data, up to 256 KiB.
// https://cloud.google.com/compute/docs/api/how-tos/performance#partial-response

const operation =
  'kind,name,operationType,operationGroupId,status,insertTime,zone,region,targetLink,error(errors(code,message)),instancesBulkInsertOperationMetadata'
const instance =
  'kind,name,zone,machineType,status,statusMessage,creationTimestamp,lastStopTimestamp,labels,scheduling(provisioningModel,preemptible),reservationAffinity(consumeReservationType),resourceStatus(scheduling(terminationTimestamp)),networkInterfaces(networkIP,ipv6Address,accessConfigs(natIP),ipv6AccessConfigs(externalIpv6))'

const fields: [path: RegExp, fields: string][] = [
  [
    /\/aggregated\/instances$/,
    `kind,nextPageToken,unreachables,items/*/warning,items/*/instances(${instance})`,
  ],
  [/\/operations$/, `kind,nextPageToken,items(${operation})`],
  [/\/instances\/[^/]+$/, instance],
]

/** For GET requests; the responses of other calls are short. */
export function trimUrl(url: URL): URL {
  const lean = fields.find(([path]) => path.test(url.pathname))?.[1]
  if (lean) url.searchParams.set('fields', lean)
  return url
}

/**
 * The `kind` in the response to a call; every response of Compute Engine has one, those of the Resource Manager none.
 */
const kinds: [path: RegExp, kind: string][] = [
  [/\/aggregated\/instances$/, 'instanceAggregatedList'],
  [/\/bulkInsert$|\/operations\/[^/]+\/wait$/, 'operation'],
  [/\/operations$/, 'operationList'],
  [/\/serialPort$/, 'serialPortOutput'],
  [/\/instances\/[^/]+$/, 'instance'],
  [/\/machineTypes\/[^/]+$/, 'machineType'],
  [/\/acceleratorTypes\/[^/]+$/, 'acceleratorType'],
  [/\/images\/(?:family\/)?[^/]+$/, 'image'],
  [/\/networks\/[^/]+$/, 'network'],
  [/\/subnetworks\/[^/]+$/, 'subnetwork'],
  [/\/regions\/[^/]+$/, 'region'],
  // A project of an organization with its own domain is `example.com:name`.
  [/\/projects\/[^/]+$/, 'project'],
]

function kindAt(method: string, pathname: string): string | undefined {
  if (pathname.endsWith(':testIamPermissions')) return undefined
  const kind = method === 'DELETE' ? 'operation' : kinds.find(([path]) => path.test(pathname))?.[1]
  return kind && `compute#${kind}`
}

// Application Default Credentials, read before each request so that their absence is an error of the call, not a crash.
// https://cloud.google.com/docs/authentication/application-default-credentials

export interface Credentials {
  /**
   * The headers of a request. Throws a `GceError`: `credentials` when there are none or they are refused, `tokenServer`
   * when the token server fails.
   */
  headers(url: URL): Promise<Iterable<[name: string, value: string]>>
}

/** The part of google-auth-library's `GoogleAuth` that is used here. */
export interface GoogleAuthLike {
  getRequestHeaders(url?: string | URL): Promise<Headers>
}

export function applicationDefault(auth: GoogleAuthLike, file?: string): Credentials {
  return {
    async headers(url) {
      try {
        return (await auth.getRequestHeaders(url.origin)).entries()
      } catch (error) {
        throw credentialsError(error, file)
      }
    },
  }
}

// The endpoints of Google's APIs: their public hosts, or those in gcloud's own variables
// (https://cloud.google.com/sdk/docs/properties#setting_properties_via_environment_variables).

/** Exchanges the credentials of a person; a key file signs its own tokens, an instance asks its metadata server. */
export const tokenServer = 'https://oauth2.googleapis.com'

type Env = Readonly<Record<string, string | undefined>>

export interface Endpoints {
  compute: URL
  resourceManager: URL
}

export function endpointsOf(env: Env): Endpoints {
  const universe = env['GOOGLE_CLOUD_UNIVERSE_DOMAIN'] || 'googleapis.com'
  return {
    compute: endpoint(env, 'CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE', `https://compute.${universe}`),
    resourceManager: endpoint(
      env,
      'CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER',
      `https://cloudresourcemanager.${universe}`,
    ),
  }
}

/** Throws PROVIDER_CONFIG for an invalid URL, and for plain http to another host, where tokens could be read. */
function endpoint(env: Env, variable: string, standard: string): URL {
  const given = env[variable] || standard
  const url = URL.canParse(given) ? new URL(given) : undefined
  const loopback = url && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback))) return url
  const message = `${variable} is ${url ? 'plain http' : 'not a URL'}: ${given}`
  throw new ProvisionError(problem('PROVIDER_CONFIG', message, { remedy: 'Use an https:// URL.' }))
}
