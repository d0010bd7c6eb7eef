// Submits a job with the REST API, like a client with the token.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { Cluster } from './stand-alone.ts'

/** Resolves with the HTTP status. */
export function submit(cluster: Cluster, work: object): Promise<number> {
  const file = (name: string) => readFileSync(join(cluster.dir, name), 'utf8')
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: cluster.port,
        path: '/provision/v1/jobs',
        method: 'POST',
        ca: file('chain.crt'),
        servername: 'master.test',
        headers: {
          authorization: `Bearer ${file('.provision/token').trim()}`,
          'content-type': 'application/json',
        },
      },
      (response) => resolve(response.resume().statusCode!),
    )
    call.on('error', reject).end(JSON.stringify(work))
  })
}
