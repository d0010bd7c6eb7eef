// HTTP client of the built-in master: first verifies that it is one, then sends requests, with the token if there is
// one.
// The provisioner of this machine is reached through its socket.

import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type AgentDialOptions, connectAsAgent, masterUrl } from '../pki/index.ts'
import {
  authorityOf,
  type Opened,
  type Route,
  readAll,
  refusedForward,
  routeTo,
  timedOut,
} from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type InfoView, infoSchema } from './info-view.ts'
import { productName } from './status-endpoints.ts'
import { remember, type Target } from './target.ts'
import { explainConnection, type UntrustedServer } from './untrusted-server.ts'

export interface Answer {
  status: number
  /** The parsed JSON. */
  value: unknown
}

/** `product` is undefined for a Determined master. */
export type MasterAbout = Pick<InfoView, 'version' | 'product'>

export interface Client {
  /** Verifies that a built-in master answers, before any token is sent. Once is enough. */
  meet(): Promise<void>
  /**
   * Resolves for any status but 401. Throws a ProvisionError when there is no answer, or none from a built-in master.
   */
  ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer>
  readonly url: string
}

export interface MasterClient extends Client {
  /** Which master it is, of any product. Throws NOT_A_PROVISIONER when no master answers. */
  about(): Promise<MasterAbout>
}

export interface ClientOptions {
  target: Target
  version: string
  /**
   * Asks whether to trust, from now on, a master without a certificate of a trusted CA; without it, such a master is
   * rejected.
   */
  trustPrompt?: (untrusted: UntrustedServer) => Promise<boolean>
  /** Milliseconds for one request. */
  timeoutMs?: number
}

/** Opens no connection yet. */
export function createClient({
  target,
  version,
  trustPrompt,
  timeoutMs = 15_000,
}: ClientOptions): MasterClient {
  const { address, prefix, access } = target
  const url = masterUrl(address) + prefix
  const token = 'token' in access ? access.token : undefined
  // Replaced once the user has decided to trust the master.
  let { trust } = target
  let info: HttpAnswer | undefined
  let found: Route | undefined

  /** Throws PROXY_INVALID. */
  function routed(): Route {
    found ??= routeTo(address, target.env ?? {}, timeoutMs)
    return found
  }

  async function exchanged(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    body?: string,
  ) {
    const answer = await exchange({
      route: routed(),
      host: address.host,
      port: address.port,
      tls: trust?.options,
      method,
      path: routed().prefix + prefix + path,
      headers: {
        Host: authorityOf(address),
        ...routed().headers,
        ...commonHeaders(version),
        ...headers,
      },
      body,
      timeoutMs,
    })
    const refused = refusedForward(routed(), answer.status)
    if (refused) throw refused
    return answer
  }

  async function firstAnswer(mayAsk = trustPrompt): Promise<HttpAnswer> {
    try {
      return await exchanged('GET', '/info', {})
    } catch (error) {
      if (error instanceof ProvisionError) throw error
      const { problem: fault, untrusted } = await explainConnection(
        error as Error,
        { ...target, trust },
        false,
      )
      // A changed certificate is rejected here: `trust replace` is the way to accept it.
      if (!untrusted || untrusted.stored || !(await mayAsk?.(untrusted))) throw new ProvisionError(fault)
      trust = await remember(trust!, untrusted.pem)
    }
    return firstAnswer(async () => false)
  }

  async function about(): Promise<MasterAbout> {
    info ??= await firstAnswer()
    return aboutOf(info, url)
  }

  async function meet(): Promise<void> {
    const { product, version: theirs } = await about()
    if (product !== productName)
      throw new ProvisionError(
        problem('NOT_A_PROVISIONER', `${url} is a Determined master of version ${theirs}`),
      )
  }

  return {
    url,
    about,
    meet,
    async ask(method, path, body) {
      if (method === 'POST' && 'missing' in access) throw new ProvisionError(access.missing)
      await meet()
      const headers = {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      }
      const text = body === undefined ? undefined : JSON.stringify(body)
      const answer = await exchanged(method, path, headers, text).catch(async (error: Error) => {
        throw new ProvisionError((await explainConnection(error, { ...target, trust }, true)).problem)
      })
      if (answer.status === 401) throw new ProvisionError(refused(target, url))
      return { status: answer.status, value: parsed(answer, url) }
    },
  }
}

function refused({ access }: Target, url: string): Problem {
  return 'missing' in access ? access.missing : problem('CLIENT_TOKEN_REFUSED', `${url} rejected the token`)
}

/** Throws NOT_A_PROVISIONER. A `cluster_id` distinguishes a Determined master from other services that have a version. */
function aboutOf({ status, text }: HttpAnswer, url: string): MasterAbout {
  const info = infoSchema.safeParse(jsonOf(text))
  if (
    status === 200 &&
    info.success &&
    (info.data.product === productName || info.data.cluster_id !== undefined)
  )
    return { version: info.data.version, product: info.data.product }
  const what = `a server that answers GET /info with status ${status}`
  throw new ProvisionError(problem('NOT_A_PROVISIONER', `${url} is ${what}`))
}

export interface LocalClientOptions {
  stateDir: string
  version: string
  /** Milliseconds for one request. */
  timeoutMs?: number
}

/**
 * Client of the provisioner of this machine, through the socket in its state folder. The file's mode controls access.
 */
export function createLocalClient({ stateDir, version, timeoutMs = 15_000 }: LocalClientOptions): Client {
  const socketPath = join(stateDir, 'control.sock')
  return {
    url: socketPath,
    // Only the provisioner's user can have created it.
    async meet() {},
    async ask(method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = { Host: 'localhost', ...commonHeaders(version) }
      const order = { host: 'localhost', port: 0, socketPath, method, path, headers, body: text, timeoutMs }
      const answer = await exchange(order).catch((error: NodeJS.ErrnoException) => {
        throw new ProvisionError(noAnswer(error, socketPath, stateDir))
      })
      return { status: answer.status, value: parsed(answer, socketPath) }
    },
  }
}

function noAnswer(error: NodeJS.ErrnoException, socket: string, stateDir: string): Problem {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return problem('NOT_RUNNING', `no provisioner is running with state_dir ${stateDir}`, { cause: error })
    case 'EACCES':
    case 'EPERM':
      return problem('CONTROL_SOCKET_DENIED', `no permission to open ${socket}`, { cause: error })
    default:
      return problem('CLIENT_UNREACHABLE', `${socket}: ${error.message}`, { cause: error })
  }
}

function commonHeaders(version: string): Record<string, string> {
  return { Accept: 'application/json', 'User-Agent': `provision/${version}` }
}

function parsed(answer: HttpAnswer, url: string): unknown {
  const value = jsonOf(answer.text)
  if (value !== undefined) return value
  const message = `${url} returned invalid JSON (status ${answer.status}, ${answer.text.length} characters)`
  throw new ProvisionError(problem('MASTER_FAULT', message))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One HTTP request. */
interface ExchangeOrder {
  /** undefined: a socket in the file system. */
  route?: Route
  host: string
  port: number
  /** Of a socket in the file system, in place of host and port. */
  socketPath?: string
  /** undefined: plain http. */
  tls?: AgentDialOptions
  method: 'GET' | 'POST'
  path: string
  headers: Record<string, string>
  body?: string
  /** Milliseconds for the whole exchange. */
  timeoutMs: number
}

interface HttpAnswer {
  status: number
  text: string
}

/** Bytes. Everything a master remembers fits; a longer response is not from the built-in master. */
const longestAnswer = 64 * 1024 * 1024

/** Milliseconds for each address of a host but the last; Node's default of 250 is too short for a distant one. */
const perAddress = 2500

/** Resolves for any status. Rejects with the network or TLS error; ETIMEDOUT after the deadline. */
function exchange(order: ExchangeOrder): Promise<HttpAnswer> {
  const { route, tls, body, timeoutMs, ...rest } = order
  const deadline = AbortSignal.timeout(timeoutMs)
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(deadline.aborted ? timedOut(timeoutMs) : error)
    const headers = { ...order.headers, ...(body && { 'Content-Length': String(Buffer.byteLength(body)) }) }
    const address = { host: order.host, port: order.port, autoSelectFamilyAttemptTimeout: perAddress }
    const where = order.socketPath ? { socketPath: order.socketPath } : address
    const direct = (tunnel?: Socket) =>
      tls ? connectAsAgent({ ...(tunnel ? { socket: tunnel } : address), ...tls }) : connect(address)
    const createConnection = route && ((_: unknown, opened: Opened) => route.open(direct, opened))
    const sent = request({ ...rest, ...where, headers, createConnection, signal: deadline }, (response) => {
      readAll(response, longestAnswer).then(
        (text) => resolve({ status: response.statusCode ?? 0, text }),
        fail,
      )
    })
    sent.on('error', fail)
    sent.end(body)
  })
}
