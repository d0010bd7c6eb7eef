// Compute Engine's metadata, for every request with its header.
import { randomInt } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { claimsOf, tokenOf } from '../../support/join-proofs/identity-tokens.ts'
import { type Answer, listing, type Tree, valueAt } from './metadata.ts'

export interface GceInstance {
  cloud: 'gcp'
  /** The instance's name. */
  id: string
  /** Metadata of the instance, such as `startup-script`. */
  attributes: Record<string, string>
  zone: string
  /** Address of its service account, which identity tokens need. */
  account?: string
}

const prefix = '/computeMetadata/v1'

export function answerGce(instance: GceInstance, { url = '', headers }: IncomingMessage): Answer {
  const google = { 'metadata-flavor': 'Google', etag: '1' }
  const { pathname, searchParams } = new URL(url, 'http://metadata')
  if (headers['metadata-flavor'] !== 'Google') return { status: 403, headers: google }
  if (!pathname.startsWith(prefix)) return { status: 404, headers: google }
  const inTree = pathname.slice(prefix.length)
  if (instance.account !== undefined && inTree === identityPath)
    return { ...identityToken(instance, searchParams), headers: google }
  const value = valueAt(treeOf(instance), inTree)
  if (value === undefined) return { status: 404, headers: google }
  if (typeof value === 'string') return { status: 200, headers: google, body: value }
  const body = searchParams.get('recursive') === 'true' ? JSON.stringify(value) : `${listing(value)}\n`
  return { status: 200, headers: google, body }
}

const identityPath = '/instance/service-accounts/default/identity'

/** https://cloud.google.com/compute/docs/instances/verifying-instance-identity#request_signature */
function identityToken({ id, zone, account }: GceInstance, query: URLSearchParams): Answer {
  const audience = query.get('audience')
  if (!audience) return { status: 400, body: 'non-empty audience parameter required' }
  const ofInstance = { instance_name: id, instance_id: String(randomInt(1e12)), zone }
  const { google, email_verified, email: _, ...claims } = claimsOf({ aud: audience }, ofInstance)
  const isFull = query.get('format') === 'full'
  return {
    status: 200,
    body: tokenOf(isFull ? { ...claims, email: account, email_verified, google } : claims),
  }
}

function treeOf({ id, attributes, zone }: GceInstance): Tree {
  return {
    instance: {
      attributes,
      hostname: `${id}.${zone}.c.my-project.internal`,
      id: '1234567890123456789',
      name: id,
      zone: `projects/123456789012/zones/${zone}`,
    },
    project: { attributes: {}, 'project-id': 'my-project' },
  }
}
