// Talks to one master of ours: first makes sure that it is one, then asks, with the token where there is one.
import * as z from 'zod/mini'
import { masterUrl } from '../model/master-address.ts'
import { type Problem, ProvisionError, problem } from '../model/problem.ts'
import { productName } from '../model/product.ts'
import { exchange, type HttpAnswer } from './exchange.ts'
import { connectionProblem } from './explain.ts'
import type { Target } from './target.ts'

export interface Answer {
  status: number
  /** What the JSON says. */
  value: unknown
}

export interface Client {
  /** Makes sure that a master of ours answers: before a token is shown to anyone. Once is enough. */
  meet(): Promise<void>
  /** Any status but 401 is an answer. Throws a ProvisionError when there is none, or none of a master of ours. */
  ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer>
  readonly url: string
}

export interface ClientOptions {
  target: Target
  version: string
  /** Milliseconds for one request. */
  timeoutMs?: number
}

/** Opens no connection yet. */
export function createClient({ target, version, timeoutMs = 15_000 }: ClientOptions): Client {
  const { address, prefix, trust, access } = target
  const url = masterUrl(address) + prefix
  const token = 'token' in access ? access.token : undefined
  let isOurs = false

  async function send(method: 'GET' | 'POST', path: string, headers: Record<string, string>, body?: string) {
    try {
      return await exchange({
        host: address.host,
        port: address.port,
        tls: trust?.options,
        method,
        path: prefix + path,
        headers: {
          Host: authorityOf(address),
          Accept: 'application/json',
          'User-Agent': `provision/${version}`,
          ...headers,
        },
        body,
        timeoutMs,
      })
    } catch (error) {
      throw new ProvisionError(await connectionProblem(error as Error, target, isOurs))
    }
  }

  async function meet(): Promise<void> {
    if (isOurs) return
    const fault = notOurs(await send('GET', '/info', {}), url)
    if (fault) throw new ProvisionError(fault)
    isOurs = true
  }

  return {
    url,
    meet,
    async ask(method, path, body) {
      if (method === 'POST' && 'missing' in access) throw new ProvisionError(access.missing)
      await meet()
      const headers = {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      }
      const answer = await send(method, path, headers, body === undefined ? undefined : JSON.stringify(body))
      if (answer.status === 401) throw new ProvisionError(refused(target, url))
      return { status: answer.status, value: parsed(answer, url) }
    },
  }
}

function authorityOf({ host, port }: Target['address']): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function refused({ access }: Target, url: string): Problem {
  return 'missing' in access ? access.missing : problem('CLIENT_TOKEN_REFUSED', `${url} refuses the token`)
}

const infoSchema = z.looseObject({ product: z.optional(z.string()), version: z.optional(z.string()) })

function notOurs({ status, text }: HttpAnswer, url: string): Problem | undefined {
  const info = infoSchema.safeParse(jsonOf(text))
  if (status === 200 && info.success && info.data.product === productName) return undefined
  const isMaster = info.success && info.data.version !== undefined && 'cluster_id' in info.data
  const what = isMaster
    ? `a Determined master of version ${info.data.version}`
    : `something that answers GET /info with status ${status}`
  return problem('NOT_A_PROVISIONER', `${url} is ${what}`)
}

function parsed(answer: HttpAnswer, url: string): unknown {
  const value = jsonOf(answer.text)
  if (value !== undefined) return value
  const message = `${url} answered with status ${answer.status} and ${answer.text.length} characters that are no JSON`
  throw new ProvisionError(problem('MASTER_FAULT', message))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
