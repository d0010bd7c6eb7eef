// A fake Compute Engine with real HTTP for the real client. Its faults can be scripted.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import * as account from './account.ts'
import { bulkInsert } from './bulk-insert.ts'
import { type Call, errorBody, GceFault, type Json, partial } from './rest.ts'
import * as vms from './vms.ts'
import { createWorld, project, type World } from './world.ts'

type Handler = (world: World, call: Call) => Json | undefined

/** Action, method, path below `projects/my-project`, handler. */
const routes: [action: string, method: string, path: string, handle: Handler][] = [
  ['bulkInsert', 'POST', 'zones/{zone}/instances/bulkInsert', bulkInsert],
  ['bulkInsert', 'POST', 'regions/{region}/instances/bulkInsert', bulkInsert],
  ['wait', 'POST', 'zones/{zone}/operations/{operation}/wait', vms.wait],
  ['wait', 'POST', 'regions/{region}/operations/{operation}/wait', vms.wait],
  ['operations', 'GET', 'zones/{zone}/operations', vms.listOperations],
  ['list', 'GET', 'aggregated/instances', vms.aggregatedList],
  ['get', 'GET', 'zones/{zone}/instances/{instance}', vms.getInstance],
  ['delete', 'DELETE', 'zones/{zone}/instances/{instance}', vms.deleteInstance],
  ['serialPort', 'GET', 'zones/{zone}/instances/{instance}/serialPort', vms.serialPort],
  ['machineType', 'GET', 'zones/{zone}/machineTypes/{machineType}', account.getMachineType],
  ['acceleratorType', 'GET', 'zones/{zone}/acceleratorTypes/{acceleratorType}', account.getAcceleratorType],
  ['region', 'GET', 'regions/{region}', account.getRegion],
  ['image', 'GET', 'global/images/family/{family}', account.getImageFromFamily],
  ['image', 'GET', 'global/images/{image}', account.getImage],
  ['network', 'GET', 'global/networks/{network}', account.getNetwork],
  ['subnetwork', 'GET', 'regions/{region}/subnetworks/{subnetwork}', account.getSubnetwork],
  ['project', 'GET', '', account.getProject],
]

/**
 * - a reason, with Google's answer for it (`rateLimitExceeded`, `forbidden` …)
 * - `lose_reply`: the call takes effect, the connection breaks before the answer
 * - `drop`: the connection breaks before the effect
 * - `html`: the answer of a gateway; with status 200 that of a portal
 * - `body`: status 200 with this body, whatever it is
 * - `hang`: no answer, ever
 */
export interface Fault {
  action: string
  kind: 'error' | 'lose_reply' | 'drop' | 'html' | 'body' | 'hang'
  body?: string
  reason?: string
  message?: string
  status?: number
  /** How many calls it affects; all if omitted. */
  times?: number
  /** Lets this many calls pass first. */
  after?: number
}

const queriesExceeded =
  "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service 'compute.googleapis.com' for consumer 'project_number:1'."

/** A raw request and its raw answer. */
export interface Exchange {
  method: string
  url: string
  body: string
  status: number
  answer: string
}

export interface FakeGce {
  url: string
  world: World
  /** Every call, in order. */
  calls: (Call & {
    action: string
    authorization: string | undefined
    userAgent: string | undefined
    /** By the clock of the world. */
    at: number
  })[]
  faults: Fault[]
  /** If set to a list, every exchange that is not a fault is added. */
  recorded?: Exchange[]
  count(action: string): number
  close(): Promise<void>
}

export async function fakeGce(now: () => number = Date.now): Promise<FakeGce> {
  const world = createWorld(now)
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  let used = { minute: 0, count: 0 }
  const self: FakeGce = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    calls: [],
    faults: [],
    count: (action) => self.calls.filter((call) => call.action === action).length,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const { pathname, searchParams: query } = new URL(request.url ?? '', self.url)
    const { action, path, handle } = routeOf(request.method ?? '', pathname)
    const call: Call = { path, query, body: body ? JSON.parse(body) : {} }
    const { authorization, 'user-agent': userAgent } = request.headers
    self.calls.push({ action, ...call, authorization, userAgent, at: world.now() })
    const fault = due(self.faults, action)
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'drop') return void request.socket.destroy()
    if (fault?.kind === 'html')
      return void response.writeHead(fault.status ?? 502).end('<html><body>Bad Gateway</body></html>')
    if (fault?.kind === 'body') return void response.writeHead(200).end(fault.body)
    try {
      if (fault?.kind === 'error')
        throw new GceFault(fault.status!, fault.reason!, fault.message ?? fault.reason!)
      if (!request.headers.authorization?.startsWith('Bearer '))
        throw new GceFault(401, 'required', 'Login Required.')
      if (request.method === 'DELETE' || action === 'bulkInsert') useQuota()
      const result = handle(world, call)
      if (!result) return
      if (fault?.kind === 'lose_reply') return void request.socket.destroy()
      reply(200, partial(result, query.get('fields')))
    } catch (error) {
      if (!(error instanceof GceFault)) throw error
      reply(error.status, errorBody(error))
    }

    function useQuota(): void {
      const minute = Math.floor(world.now() / 60_000)
      used = { minute, count: used.minute === minute ? used.count + 1 : 1 }
      if (used.count > world.changesPerMinute) throw new GceFault(403, 'rateLimitExceeded', queriesExceeded)
    }

    function reply(status: number, content: object): void {
      const answer = JSON.stringify(content)
      const { method = '', url = '' } = request
      self.recorded?.push({ method, url: new URL(url, self.url).href, body, status, answer })
      response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(answer)
    }
  }

  return self
}

function routeOf(
  method: string,
  pathname: string,
): { action: string; path: Record<string, string>; handle: Handler } {
  if (pathname === `/v1/projects/${project}:testIamPermissions`)
    return { action: 'testPermissions', path: {}, handle: account.testPermissions }
  for (const [action, wanted, template, handle] of routes) {
    if (wanted !== method) continue
    const names = template.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')
    const path = new RegExp(`^/compute/v1/projects/${project}${template ? '/' : ''}${names}$`).exec(pathname)
    if (path) return { action, path: { ...path.groups }, handle }
  }
  const handle: Handler = () => {
    throw new GceFault(404, 'notFound', `Nothing is at ${pathname}`)
  }
  return { action: 'unknown', path: {}, handle }
}

function due(faults: Fault[], action: string): Fault | undefined {
  const fault = faults.find((one) => one.action === action && one.times !== 0)
  if (!fault) return undefined
  if (fault.after) {
    fault.after--
    return undefined
  }
  if (fault.times !== undefined) fault.times--
  return fault
}
