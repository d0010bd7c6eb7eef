// An instance of a pool on AWS, its signed identities, and an STS for each test file.
import { afterAll, afterEach, beforeAll, vi } from 'vitest'
import { aws } from '../../../src/providers/aws/definition.ts'
import type { JoinProofVerifier } from '../../../src/providers/join-proof.ts'
import { awsConfig } from '../cloud-pools.ts'
import { type FakeSts, fakeSts, type Identity } from './fake-sts.ts'
import { joinContext, joinRequest, nonce } from './requests.ts'
import { basicDate, type SigningInput, stsProof } from './sigv4.ts'

export const id = 'i-0123456789abcdef0'
export const account = '123456789012'
export const region = 'us-west-2'
export const host = 'sts.us-west-2.amazonaws.com'
export const now = Date.UTC(2026, 10, 30, 1, 2, 3)

export const instanceArn = (service: string, of = id, by = account) =>
  `arn:aws:${service}::${by}:assumed-role/aws:ec2-instance/${of}`

export function identity(name: string, arn: string, of = account): Identity {
  return {
    accessKey: `ASIA${name.padEnd(16, '0')}`,
    secret: `secret of ${name}`,
    token: `IQoJb3JpZ2lu${name}==`,
    arn,
    account: of,
  }
}

export const instance = identity('INSTANCE', instanceArn('sts'))

export const signing = (more: Partial<SigningInput> = {}): SigningInput => ({
  ...instance,
  region,
  host,
  nonce,
  date: basicDate(now),
  ...more,
})

/** A request with a proof of the instance. */
export const proved = (more?: Partial<SigningInput>) => joinRequest(stsProof(signing(more)), { id }, { now })

export function openVerifier(env: Record<string, string>): JoinProofVerifier {
  const found = aws.joinProofs!(awsConfig({ region }), joinContext({ env }))
  if (found.length !== 1) throw new Error(`${found.length} verifiers`)
  return found[0]!
}

export interface StsBench {
  sts: FakeSts
  verifier: JoinProofVerifier
  /** Whom the STS knows. */
  identities: Identity[]
}

/** Starts with the file; the SDK finds credentials of the same account there. Answers and requests are reset after each test. */
export function stsBench(): StsBench {
  const bench = { identities: [instance] } as StsBench
  beforeAll(async () => {
    const sts = await fakeSts({ region, identities: bench.identities })
    for (const name of ['AWS_ENDPOINT_URL_STS', 'AWS_ENDPOINT_URL_EC2']) vi.stubEnv(name, sts.url)
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    Object.assign(bench, { sts, verifier: openVerifier({ AWS_ENDPOINT_URL_STS: sts.url }) })
  })
  afterEach(() => {
    delete bench.sts.answer
    bench.sts.arrived.length = 0
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await bench.sts.close()
  })
  return bench
}
