// EC2's instance metadata, version 2 only: nothing without a session token.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type Answer, listing, type Tree, valueAt } from './metadata.ts'

export interface Ec2Instance {
  cloud: 'aws'
  id: string
  address: string
  mac: string
  /** As in RunInstances, after base64. */
  userData: Uint8Array
}

const versions = ['1.0', '2016-09-02', '2018-09-24', '2021-03-23', 'latest']
/** The token with its expiry in milliseconds since the epoch. */
const tokens = new Map<string, number>()

export function answerEc2(instance: Ec2Instance, { method, url = '', headers }: IncomingMessage): Answer {
  const [path = ''] = url.split('?')
  if (path === '/latest/api/token') return giveToken(method, headers)
  const token = headers['x-aws-ec2-metadata-token']
  if (typeof token !== 'string' || !((tokens.get(token) ?? 0) > Date.now())) return { status: 401 }
  const [, version = '', rest = ''] = /^\/([^/]*)\/?(.*)$/.exec(path) ?? []
  if (version === '') return { status: 200, body: versions.join('\n') }
  if (!versions.includes(version)) return { status: 404 }
  if (rest === 'user-data') return { status: 200, body: instance.userData }
  const value = valueAt(treeOf(instance), rest)
  if (value === undefined) return { status: 404 }
  return { status: 200, body: typeof value === 'string' ? value : listing(value) }
}

function giveToken(method: string | undefined, headers: IncomingMessage['headers']): Answer {
  if (method !== 'PUT') return { status: 405 }
  if (headers['x-forwarded-for']) return { status: 403 }
  const seconds = Number(headers['x-aws-ec2-metadata-token-ttl-seconds'])
  if (!(seconds >= 1 && seconds <= 21_600)) return { status: 400 }
  const token = randomBytes(32).toString('base64')
  tokens.set(token, Date.now() + seconds * 1000)
  return { status: 200, body: token, headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(seconds) } }
}

function treeOf({ id, address, mac }: Ec2Instance): Tree {
  const name = `ip-${address.replaceAll('.', '-')}.us-west-2.compute.internal`
  const document = { instanceId: id, region: 'us-west-2', availabilityZone: 'us-west-2a', privateIp: address }
  return {
    dynamic: { 'instance-identity': { document: JSON.stringify(document) } },
    'meta-data': {
      'ami-id': 'ami-0123456789abcdef0',
      'ami-launch-index': '0',
      'block-device-mapping': { ami: '/dev/xvda', root: '/dev/xvda' },
      hostname: name,
      'instance-id': id,
      'instance-type': 'm5.large',
      'local-hostname': name,
      'local-ipv4': address,
      mac,
      // Without it cloud-init treats its cached data as outdated.
      network: { interfaces: { macs: { [mac]: networkCard(address, mac) } } },
      placement: { 'availability-zone': 'us-west-2a', region: 'us-west-2' },
      'reservation-id': 'r-0123456789abcdef0',
      'security-groups': 'default',
      services: { domain: 'amazonaws.com', partition: 'aws' },
    },
  }
}

function networkCard(address: string, mac: string): Tree {
  return {
    'device-number': '0',
    'interface-id': 'eni-0123456789abcdef0',
    'local-ipv4s': address,
    mac,
    'subnet-id': 'subnet-1',
    'subnet-ipv4-cidr-block': '10.0.0.0/16',
  }
}
