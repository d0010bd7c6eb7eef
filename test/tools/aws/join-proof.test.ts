// Independent checks of the proof `aws-sts`: botocore's signer, and moto's STS.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { aws } from '../../../src/providers/aws/definition.ts'
import { awsConfig } from '../../support/cloud-pools.ts'
import { type Arrived, type FakeSts, fakeSts, type Identity } from '../../support/join-proofs/fake-sts.ts'
import { joinContext, joinRequest, messageOf, verdictOf } from '../../support/join-proofs/requests.ts'
import { authorizationOf, basicDate, type SigningInput, stsProof } from '../../support/join-proofs/sigv4.ts'
import { pythonWith } from '../../support/python.ts'
import { cleanEnv, converse } from '../tls/run.ts'

const id = 'i-0123456789abcdef0'
const account = '123456789012'
const now = Date.UTC(2026, 10, 30, 1, 2, 3)
const arnOf = (of: string) => `arn:aws:sts::${account}:assumed-role/aws:ec2-instance/${of}`

/** Text that is the same in each run. */
const noise = (seed: string, length: number) =>
  createHash('sha512').update(seed).digest('base64').repeat(20).slice(0, length)

function signingOf(n: number): SigningInput {
  const [region, suffix] = [
    ['us-west-2', 'amazonaws.com'],
    ['eu-central-1', 'amazonaws.com'],
    ['cn-north-1', 'amazonaws.com.cn'],
    ['us-gov-west-1', 'amazonaws.com'],
  ][n % 4]!
  return {
    accessKey: `ASIA${noise(`key ${n}`, 40)
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]/g, '')
      .slice(0, 16)}`,
    secret: noise(`secret ${n}`, 40),
    token: noise(`token ${n}`, 200 + n * 5),
    region: region!,
    host: `sts.${region}.${suffix}`,
    date: basicDate(now + n * 86_400_000),
    nonce: noise(`nonce ${n}`, 20 + n)
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '')
      .slice(0, 120),
  }
}

function asEnvironment(url: string): void {
  for (const name of ['AWS_ENDPOINT_URL_STS', 'AWS_ENDPOINT_URL_EC2']) vi.stubEnv(name, url)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
}
function verifierOf(region: string, url: string) {
  return aws.joinProofs!(awsConfig({ region }), joinContext({ env: { AWS_ENDPOINT_URL_STS: url } }))[0]!
}
afterAll(() => vi.unstubAllEnvs())

describe('botocore', () => {
  let python: string
  beforeAll(async () => {
    python = await pythonWith('botocore', join(import.meta.dirname, 'requirements.txt'))
  })
  const asks = (sign: SigningInput[], judge: (Arrived & { secret: string })[]) =>
    converse<{ signed: string[]; judged: string[] }>(
      python,
      [join(import.meta.dirname, 'sign-identity.py')],
      { sign, judge },
    )

  it('signs the request of an instance with the same bytes', async () => {
    const inputs = Array.from({ length: 60 }, (_, n) => signingOf(n))
    const { signed } = await asks(inputs, [])
    expect(signed).toEqual(inputs.map(authorizationOf))
  })

  it("'s proofs are accepted, and it finds what we send signed by the instance", async () => {
    const inputs = Array.from({ length: 20 }, (_, n) => ({ ...signingOf(n * 4), date: basicDate(now) }))
    const identities: Identity[] = inputs.map((one) => ({ ...one, arn: arnOf(id), account }))
    const sts: FakeSts = await fakeSts({ region: 'us-west-2', identities })
    asEnvironment(sts.url)
    try {
      const verifier = verifierOf('us-west-2', sts.url)
      const { signed } = await asks(inputs, [])
      for (const [n, input] of inputs.entries()) {
        const proof = { ...stsProof(input), authorization: signed[n] }
        expect(await messageOf(verifier, joinRequest(proof, { id }, { now, nonce: input.nonce }))).toBe(
          'accepted',
        )
      }
      const arrived = sts.arrived.map((one, n) => ({ ...one, secret: inputs[n]!.secret }))
      const others = arrived.map((one) => ({ ...one, secret: 'other' }))
      const changed = arrived.map((one) => ({
        ...one,
        url: one.url.replace('GetCallerIdentity', 'GetSessionToken'),
      }))
      const { judged } = await asks([], [...arrived, ...others, ...changed])
      expect(judged.slice(0, 20)).toEqual(Array(20).fill('good'))
      expect(judged.slice(20)).toEqual(Array(40).fill('another signature'))
    } finally {
      await sts.close()
    }
  })
})

describe("moto's STS", () => {
  let server: ChildProcess
  let url: string
  beforeAll(async () => {
    const python = await pythonWith('moto', join(import.meta.dirname, 'moto-requirements.txt'))
    server = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
      env: { ...cleanEnv, PYTHONUNBUFFERED: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    for await (const line of createInterface(server.stderr!)) {
      url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? ''
      if (url) break
    }
    server.stderr!.resume()
    asEnvironment(url)
  })
  afterAll(async () => {
    server.kill()
    await once(server, 'exit')
  })

  /** Temporary credentials of a session of a role. */
  async function assume(
    role: string,
    session: string,
  ): Promise<Pick<SigningInput, 'accessKey' | 'secret' | 'token'>> {
    const body = new URLSearchParams({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: `arn:aws:iam::${account}:role/${role}`,
      RoleSessionName: session,
    })
    const headers = {
      authorization:
        'AWS4-HMAC-SHA256 Credential=key/20261130/us-west-2/sts/aws4_request, SignedHeaders=host, Signature=0',
    }
    const text = await (await fetch(url, { method: 'POST', headers, body })).text()
    const textOf = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(text)![1]!
    return {
      accessKey: textOf('AccessKeyId'),
      secret: textOf('SecretAccessKey'),
      token: textOf('SessionToken'),
    }
  }

  async function asked(role: string, session: string) {
    const credentials = await assume(role, session)
    const input = { ...signingOf(0), ...credentials, date: basicDate(now) }
    return joinRequest(stsProof(input), { id }, { now, nonce: input.nonce })
  }

  it('confirms a session of the identity role of that instance', async () => {
    expect(await messageOf(verifierOf('us-west-2', url), await asked('aws:ec2-instance', id))).toBe(
      'accepted',
    )
  })

  it.each([
    ['another instance', 'aws:ec2-instance', 'i-0fedcba9876543210'],
    ['another role', 'agent', id],
  ])('does not confirm %s', async (_, role, session) => {
    expect(await verdictOf(verifierOf('us-west-2', url), await asked(role, session))).toBe('JOIN_PROOF_OTHER')
  })

  it('says who holds long-term credentials, which is no instance', async () => {
    const input = { ...signingOf(0), date: basicDate(now) }
    const request = joinRequest(stsProof(input), { id }, { now, nonce: input.nonce })
    expect(await messageOf(verifierOf('us-west-2', url), request)).toMatch(
      /^JOIN_PROOF_OTHER: .*the signer is "arn:aws:sts::123456789012:user\/moto"/,
    )
  })
})
