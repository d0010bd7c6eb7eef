// A fake EC2 with real HTTP for the real SDK. Its faults can be scripted.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  callerIdentity,
  describeCapacityReservations,
  describeInstanceTypeOfferings,
  describeKeyPairs,
  describeSecurityGroups,
  describeSubnets,
} from './account.ts'
import {
  describeImages,
  describeInstanceAttribute,
  describeInstances,
  describeInstanceTypes,
  describeSpotInstanceRequests,
  getConsoleOutput,
  terminateInstances,
} from './describe-calls.ts'
import { createFleet } from './fleets.ts'
import { checkMachine, runInstances } from './launches.ts'
import { createPlacementGroup, deletePlacementGroup, describePlacementGroups } from './placement-groups.ts'
import { Ec2Error, type Params, parseQuery, toXml, type Xml } from './query.ts'
import {
  createLaunchTemplate,
  deleteLaunchTemplate,
  describeLaunchTemplates,
  describeLaunchTemplateVersions,
} from './templates.ts'
import { throttling } from './throttling.ts'
import { createWorld, type World } from './world.ts'

const actions: Record<string, (world: World, params: Params) => Xml> = {
  CreateFleet: createFleet,
  CreateLaunchTemplate: createLaunchTemplate,
  CreatePlacementGroup: createPlacementGroup,
  DeleteLaunchTemplate: deleteLaunchTemplate,
  DeletePlacementGroup: deletePlacementGroup,
  DescribeCapacityReservations: describeCapacityReservations,
  DescribeImages: describeImages,
  DescribeInstanceAttribute: describeInstanceAttribute,
  DescribeInstances: describeInstances,
  DescribeInstanceTypeOfferings: describeInstanceTypeOfferings,
  DescribeInstanceTypes: describeInstanceTypes,
  DescribeKeyPairs: describeKeyPairs,
  DescribeLaunchTemplates: describeLaunchTemplates,
  DescribeLaunchTemplateVersions: describeLaunchTemplateVersions,
  DescribePlacementGroups: describePlacementGroups,
  DescribeSecurityGroups: describeSecurityGroups,
  DescribeSpotInstanceRequests: describeSpotInstanceRequests,
  DescribeSubnets: describeSubnets,
  GetConsoleOutput: getConsoleOutput,
  RunInstances: runInstances,
  TerminateInstances: terminateInstances,
}

/**
 * - an error code, with EC2's answer for it (`RequestLimitExceeded`, `UnauthorizedOperation` …)
 * - `lose_reply`: the call takes effect, the connection breaks before the answer
 * - `drop`: the connection breaks before the effect
 * - `html`: the answer of a gateway without EC2
 * - `hang`: no answer, ever
 * - `body`: whatever `body` holds, with 200 or `status`, as a portal or another service answers
 * - `cut`: the call takes effect, the connection breaks in the middle of the answer
 */
export interface Fault {
  action: string
  kind: 'error' | 'lose_reply' | 'drop' | 'html' | 'hang' | 'body' | 'cut'
  code?: string
  message?: string
  status?: number
  body?: string
  /** How many calls it affects; all if omitted. */
  times?: number
  /** Lets this many calls pass first. */
  after?: number
}

/** The raw request. */
export interface Exchange {
  action: string
  request: string
  status: number
  answer: string
}

export interface FakeEc2 {
  url: string
  world: World
  /** Every call, in order. */
  calls: { action: string; params: Params }[]
  /** Called with every raw call and every answer, also of STS. */
  record?: (exchange: Exchange) => void
  faults: Fault[]
  /** Milliseconds before each answer. */
  latency: number
  /** Enables EC2's real rate limits. */
  throttle(): void
  count(action: string): number
  close(): Promise<void>
}

export async function fakeEc2(now: () => number = Date.now): Promise<FakeEc2> {
  const world = createWorld(now)
  let mayPass: ((action: string, now: number) => boolean) | undefined
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const self: FakeEc2 = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    calls: [],
    faults: [],
    latency: 0,
    throttle: () => {
      mayPass = throttling()
    },
    count: (action) => self.calls.filter((call) => call.action === action).length,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sent = await text(request)
    const { Action: action = '', Version: _, ...params } = parseQuery(sent) as Record<string, string>
    self.calls.push({ action, params })
    if (self.latency > 0) await sleep(self.latency)
    const reply = (status: number, answer: string) => {
      self.record?.({ action, request: sent, status, answer })
      const headers = { 'content-type': 'text/xml;charset=UTF-8', date: new Date(now()).toUTCString() }
      response.writeHead(status, headers).end(answer)
    }
    const fault = due(self.faults, action)
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'drop') return void request.socket.destroy()
    if (fault?.kind === 'html')
      return void response.writeHead(502).end('<html><body>Bad Gateway</body></html>')
    if (fault?.kind === 'body') return void response.writeHead(fault.status ?? 200).end(fault.body ?? '')
    try {
      if (fault?.kind === 'error') throw new Ec2Error(fault.code!, fault.message ?? fault.code!, fault.status)
      if (mayPass && !mayPass(action, now()))
        throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503)
      const [, key = '', region = ''] =
        /Credential=([^/]+)\/[^/]+\/([^/]+)/.exec(request.headers.authorization ?? '') ?? []
      world.region = region
      if (world.expiredKeys.has(key)) throw new Ec2Error('RequestExpired', 'Request has expired.')
      if (action === 'GetCallerIdentity') return reply(200, toXml(callerIdentity(world)))
      const handle = actions[action]
      if (!handle)
        throw new Ec2Error('InvalidAction', `The action ${action} is not valid for this web service.`)
      if (world.denied.has(action))
        throw new Ec2Error('UnauthorizedOperation', `You are not authorized to perform: ec2:${action}`, 403)
      if (params['DryRun'] === 'true') {
        if (action === 'RunInstances') checkMachine(world, params)
        throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412)
      }
      const body = toXml({
        [`${action}Response`]: { requestId: 'request', ...(handle(world, params) as object) },
      })
      if (fault?.kind === 'lose_reply') return void request.socket.destroy()
      if (fault?.kind === 'cut') {
        response.writeHead(200, { 'content-length': Buffer.byteLength(body) })
        return void response.write(body.slice(0, body.length / 2), () => request.socket.destroy())
      }
      reply(200, body)
    } catch (error) {
      if (!(error instanceof Ec2Error)) throw error
      const body = {
        Response: { Errors: { Error: { Code: error.code, Message: error.message } }, RequestID: 'request' },
      }
      reply(error.status, toXml(body))
    }
  }

  return self
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
