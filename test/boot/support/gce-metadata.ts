// Compute Engine's metadata, for every request with its header.
import type { IncomingMessage } from 'node:http'
import { type Answer, listing, type Tree, valueAt } from './metadata.ts'

export interface GceInstance {
  cloud: 'gcp'
  /** The instance's name. */
  id: string
  /** Metadata of the instance, such as `startup-script`. */
  attributes: Record<string, string>
}

const prefix = '/computeMetadata/v1'

export function answerGce(instance: GceInstance, { url = '', headers }: IncomingMessage): Answer {
  const google = { 'metadata-flavor': 'Google', etag: '1' }
  const { pathname, searchParams } = new URL(url, 'http://metadata')
  if (headers['metadata-flavor'] !== 'Google') return { status: 403, headers: google }
  if (!pathname.startsWith(prefix)) return { status: 404, headers: google }
  const value = valueAt(treeOf(instance), pathname.slice(prefix.length))
  if (value === undefined) return { status: 404, headers: google }
  if (typeof value === 'string') return { status: 200, headers: google, body: value }
  const body = searchParams.get('recursive') === 'true' ? JSON.stringify(value) : `${listing(value)}\n`
  return { status: 200, headers: google, body }
}

function treeOf({ id, attributes }: GceInstance): Tree {
  return {
    instance: {
      attributes,
      hostname: `${id}.us-west1-b.c.my-project.internal`,
      id: '1234567890123456789',
      name: id,
      zone: 'projects/123456789012/zones/us-west1-b',
    },
    project: { attributes: {}, 'project-id': 'my-project' },
  }
}
