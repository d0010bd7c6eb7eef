// The metadata servers of both clouds at their real address. A machine is identified by its address.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { answerEc2, type Ec2Instance } from './ec2-metadata.ts'
import { answerGce, type GceInstance } from './gce-metadata.ts'

export type Instance = Ec2Instance | GceInstance

export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string | Uint8Array
}

export interface Metadata {
  /** By the machine's address. */
  instances: Map<string, Instance>
  /** `<address> <method> <path> <status>` */
  calls: string[]
  close(): Promise<void>
}

export async function serveMetadata(): Promise<Metadata> {
  const instances = new Map<string, Instance>()
  const calls: string[] = []
  const server = createServer((request, response) => {
    const from = request.socket.remoteAddress ?? ''
    const answer = answerFor(instances.get(from), request)
    calls.push(`${from} ${request.method} ${request.url} ${answer.status}`)
    send(response, answer)
  })
  await once(server.listen(80, '169.254.169.254'), 'listening')
  return {
    instances,
    calls,
    async close() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

function answerFor(instance: Instance | undefined, request: IncomingMessage): Answer {
  if (!instance) return { status: 404 }
  return instance.cloud === 'aws' ? answerEc2(instance, request) : answerGce(instance, request)
}

function send(response: ServerResponse, { status, headers, body = '' }: Answer): void {
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body)
}

/** A tree of values: a folder lists its entries, with `/` after folders. */
export interface Tree {
  [name: string]: string | Tree
}

export function valueAt(tree: Tree, path: string): string | Tree | undefined {
  let value: string | Tree | undefined = tree
  for (const name of path.split('/').filter(Boolean))
    value = typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined
  return value
}

export function listing(tree: Tree): string {
  return Object.entries(tree)
    .map(([name, value]) => (typeof value === 'object' ? `${name}/` : name))
    .join('\n')
}
