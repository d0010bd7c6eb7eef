// EC2's instance metadata, version 2 only: nothing without a session token.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Identity } from '../../support/join-proofs/fake-sts.ts'
import { type Answer, listing, type Tree, valueAt } from './metadata.ts'

export interface Ec2Instance {
  cloud: 'aws'
  id: string
  address: string
  mac: string
  /** As in RunInstances, after base64. */
  userData: Uint8Array
  /** Of its identity role; the same in each answer. */
  identity: Identity
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

/**
 * The role that EC2 gives each instance
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html#ec2-instance-identity-roles).
 */
export function identityOf(id: string): Identity {
  const account = '123456789012'
  return {
    account,
    arn: `arn:aws:sts::${account}:assumed-role/aws:ec2-instance/${id}`,
    accessKey: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
    secret: randomBytes(30).toString('base64'),
    token: randomBytes(600).toString('base64'),
  }
}

function credentialsOf({ accessKey, secret, token }: Identity): string {
  const day = 86_400_000
  const fields = {
    Code: 'Success',
    LastUpdated: new Date().toISOString(),
    Type: 'AWS-HMAC',
    AccessKeyId: accessKey,
    SecretAccessKey: secret,
    Token: token,
    Expiration: new Date(Date.now() + day / 4).toISOString(),
  }
  return JSON.stringify(fields, undefined, 2)
}

function treeOf({ id, address, mac, identity }: Ec2Instance): Tree {
  const name = `ip-${address.replaceAll('.', '-')}.us-west-2.compute.internal`
  const document = { instanceId: id, region: 'us-west-2', availabilityZone: 'us-west-2a', privateIp: address }
  return {
    dynamic: { 'instance-identity': { document: JSON.stringify(document) } },
    'meta-data': {
      'ami-id': 'ami-0123456789abcdef0',
      'ami-launch-index': '0',
      'block-device-mapping': { ami: '/dev/xvda', root: '/dev/xvda' },
      hostname: name,
      'identity-credentials': {
        ec2: { 'security-credentials': { 'ec2-instance': credentialsOf(identity) } },
      },
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
