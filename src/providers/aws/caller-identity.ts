// sts:GetCallerIdentity as an instance signed it: the request is made of our own constants, and sent once to the STS of one region.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isIP } from 'node:net'
import {
  type Environment,
  outgoingAgents,
  readAll,
  readXml,
  reasonOf,
  xmlFields,
  xmlText,
} from '../../platform/index.ts'

/** Method, path and query of the request that is signed; its body is empty. */
const path = '/?Action=GetCallerIdentity&Version=2011-06-15'

/** All headers that are signed, in the order of the signature. */
export const signedHeaders = 'host;x-amz-date;x-amz-security-token;x-provision-nonce'

/** Parts of the request that only the sender can know. Each was checked to have no space and no control character. */
export interface SignedCall {
  accessKey: string
  /** As in `X-Amz-Date`: `20261130T010203Z`. */
  date: string
  region: string
  token: string
  nonce: string
  /** 64 hexadecimal digits. */
  signature: string
}

export interface CallerIdentity {
  arn: string
  account: string
}

/** STS refused the request; `code` is its own. */
export class RefusedByAws extends Error {
  readonly code: string

  constructor(code: string) {
    super(`STS answered ${code}`)
    this.name = 'RefusedByAws'
    this.code = code
  }
}

/** There is no answer of STS that settles it. */
export class NoAnswerOfAws extends Error {
  override name = 'NoAnswerOfAws'
}

export interface StsPlace {
  /** The host that is signed: `sts.us-west-2.amazonaws.com`. */
  host: string
  env: Environment
}

/** Milliseconds for the whole exchange. */
const timeoutMs = 5000
/** Bytes; a real answer has less than a thousand. */
const longest = 65_536

/** Sends nothing but the request above; follows no redirect. Opens connections by the proxy variables of `env`. */
export function identityClient({ host, env }: StsPlace) {
  const endpoint = endpointOf(host, env)
  const { httpAgent, httpsAgent } = outgoingAgents(env)
  const isTls = endpoint.protocol === 'https:'
  const target = {
    host: endpoint.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: endpoint.port || (isTls ? 443 : 80),
  }

  function send(call: SignedCall, signal: AbortSignal): Promise<IncomingMessage> {
    const { accessKey, date, region, token, nonce, signature } = call
    const scope = `${date.slice(0, 8)}/${region}/sts/aws4_request`
    const options = {
      ...target,
      method: 'GET',
      path,
      signal,
      // Only `host` decides what is signed; where to connect, and whose certificate is accepted, the endpoint does.
      setHost: false,
      headers: {
        Host: host,
        'X-Amz-Date': date,
        'X-Amz-Security-Token': token,
        'X-Provision-Nonce': nonce,
        // A connection that STS closed while it was idle would fail the next proof.
        Connection: 'close',
        Authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
      },
    }
    return new Promise((resolve, reject) => {
      const sent = isTls
        ? tlsRequest({
            ...options,
            agent: httpsAgent,
            ...(isIP(target.host) === 0 && { servername: target.host }),
          })
        : plainRequest({ ...options, agent: httpAgent })
      sent.on('error', reject)
      sent.on('response', resolve)
      sent.end()
    })
  }

  return {
    /** Rejects with RefusedByAws, NoAnswerOfAws, or the reason of `signal`. */
    async ask(call: SignedCall, signal?: AbortSignal): Promise<CallerIdentity> {
      const deadline = AbortSignal.timeout(timeoutMs)
      const stop = signal ? AbortSignal.any([signal, deadline]) : deadline
      try {
        const response = await send(call, stop)
        const body = await readAll(response, longest)
        return await identityIn(response.statusCode ?? 0, body, host)
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (error instanceof RefusedByAws || error instanceof NoAnswerOfAws) throw error
        const why = deadline.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error)
        throw new NoAnswerOfAws(`${target.host}: ${why}`, { cause: error })
      }
    },
  }
}

/**
 * The variables of AWS's SDKs (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). An answer without TLS
 * could come from anyone, and would confirm anyone's identity.
 */
function endpointOf(host: string, env: Environment): URL {
  const given = env['AWS_ENDPOINT_URL_STS'] || env['AWS_ENDPOINT_URL']
  const url = URL.parse(given || `https://${host}`)
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url?.hostname ?? '')
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) return url
  throw new NoAnswerOfAws(
    'the endpoint of STS in AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is not an https:// URL',
  )
}

const identity = xmlFields<{ result: CallerIdentity }>({
  result: [
    'GetCallerIdentityResult',
    xmlFields<CallerIdentity>({ arn: ['Arn', xmlText], account: ['Account', xmlText] }),
  ],
})
const failure = xmlFields<{ error: { code: string } }>({
  error: ['Error', xmlFields<{ code: string }>({ code: ['Code', xmlText] })],
})

/** Refusals that say nothing about the request: it may be accepted later. */
const passing =
  /^(?:Throttl|RequestLimit|RequestThrottled|TooManyRequests|SlowDown|Service|Internal|RegionDisabled)/

async function identityIn(status: number, body: string, host: string): Promise<CallerIdentity> {
  const from = async function* () {
    yield Buffer.from(body)
  }
  if (status === 200) {
    const found = await readXml(from(), 'GetCallerIdentityResponse', identity).catch(() => undefined)
    const { arn = '', account = '' } = found?.result ?? {}
    if (arn && account) return { arn, account }
    throw new NoAnswerOfAws(`${host} answered with something else than an identity`)
  }
  const found = await readXml(from(), 'ErrorResponse', failure).catch(() => undefined)
  const code = found?.error?.code ?? ''
  if (
    !/^[A-Za-z.]{1,80}$/.test(code) ||
    status < 400 ||
    status >= 500 ||
    status === 429 ||
    passing.test(code)
  )
    throw new NoAnswerOfAws(
      `${host} answered HTTP ${status}${/^[A-Za-z.]{1,80}$/.test(code) ? ` ${code}` : ''}`,
    )
  throw new RefusedByAws(code)
}
