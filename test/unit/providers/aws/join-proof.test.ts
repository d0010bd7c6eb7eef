// The proof `aws-sts`, against an STS that checks signatures.
import { X509Certificate } from 'node:crypto'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDevelopmentChain } from '../../../../src/pki/development-ca.ts'
import { aws } from '../../../../src/providers/aws/definition.ts'
import type { JoinProofVerifier } from '../../../../src/providers/join-proof.ts'
import { awsConfig } from '../../../support/cloud-pools.ts'
import { connectProxy } from '../../../support/connect-proxy.ts'
import {
  errorXml,
  type FakeSts,
  fakeSts,
  type Identity,
  identityXml,
} from '../../../support/join-proofs/fake-sts.ts'
import {
  formMutants,
  joinContext,
  joinRequest,
  messageOf,
  nonce,
  textMutants,
  verdictOf,
} from '../../../support/join-proofs/requests.ts'
import { basicDate, type SigningInput, stsProof } from '../../../support/join-proofs/sigv4.ts'

const id = 'i-0123456789abcdef0'
const account = '123456789012'
const region = 'us-west-2'
const host = 'sts.us-west-2.amazonaws.com'
const now = Date.UTC(2026, 10, 30, 1, 2, 3)
const instanceArn = (service: string, of = id, by = account) =>
  `arn:aws:${service}::${by}:assumed-role/aws:ec2-instance/${of}`

function identity(name: string, arn: string, of = account): Identity {
  return {
    accessKey: `ASIA${name.padEnd(16, '0')}`,
    secret: `secret of ${name}`,
    token: `IQoJb3JpZ2lu${name}==`,
    arn,
    account: of,
  }
}
const instance = identity('INSTANCE', instanceArn('sts'))
const identities = [instance]

let sts: FakeSts
let verifier: JoinProofVerifier

function open(env: Record<string, string>): JoinProofVerifier {
  const [found, ...others] = aws.joinProofs!(awsConfig({ region }), joinContext({ env }))
  expect(others).toEqual([])
  return found!
}

beforeAll(async () => {
  sts = await fakeSts({ region, identities })
  for (const name of ['AWS_ENDPOINT_URL_STS', 'AWS_ENDPOINT_URL_EC2']) vi.stubEnv(name, sts.url)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  verifier = open({ AWS_ENDPOINT_URL_STS: sts.url })
})
afterEach(() => {
  delete sts.answer
  sts.arrived.length = 0
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await sts.close()
})

const signing = (more: Partial<SigningInput> = {}): SigningInput => ({
  ...instance,
  region,
  host,
  nonce,
  date: basicDate(now),
  ...more,
})
const proved = (more?: Partial<SigningInput>) => joinRequest(stsProof(signing(more)), { id }, { now })

describe('a signed identity of an instance', () => {
  it('is accepted', async () => {
    expect(verifier.kind).toBe('aws-sts')
    expect(await messageOf(verifier, proved())).toBe('accepted')
  })

  it('is sent as one request of which the sender chose nothing but the signed values', async () => {
    const request = proved()
    await verifier.verify(request)
    const { date, token, authorization } = request.proof as ReturnType<typeof stsProof>
    expect(sts.arrived).toHaveLength(1)
    const [{ method, url, body, rawHeaders }] = sts.arrived as [FakeSts['arrived'][0]]
    expect([method, url, body]).toEqual(['GET', '/?Action=GetCallerIdentity&Version=2011-06-15', ''])
    const sent = rawHeaders.flatMap((name, at) => (at % 2 ? [] : [[name, rawHeaders[at + 1]]]))
    expect(sent).toEqual([
      ['Host', host],
      ['X-Amz-Date', date],
      ['X-Amz-Security-Token', token],
      ['X-Provision-Nonce', nonce],
      ['Connection', 'close'],
      ['Authorization', authorization],
    ])
  })

  it.each([
    ['the ARN of iam', instanceArn('iam'), account, 'accepted'],
    ['another instance', instanceArn('sts', 'i-0123456789abcdef1'), account, 'JOIN_PROOF_OTHER'],
    ['an instance whose id is longer', instanceArn('sts', `${id}0`), account, 'JOIN_PROOF_OTHER'],
    ['another account', instanceArn('sts', id, '123456789013'), '123456789013', 'JOIN_PROOF_OTHER'],
    ['another account in the ARN alone', instanceArn('sts', id, '123456789013'), account, 'JOIN_PROOF_OTHER'],
    ['another account in the answer alone', instanceArn('sts'), '123456789013', 'JOIN_PROOF_OTHER'],
    ['another partition', instanceArn('sts').replace('aws', 'aws-cn'), account, 'JOIN_PROOF_OTHER'],
    [
      'a role with a session of that name',
      `arn:aws:sts::${account}:assumed-role/worker/${id}`,
      account,
      'JOIN_PROOF_OTHER',
    ],
    [
      'a role of that name in a path',
      `arn:aws:sts::${account}:assumed-role/x/aws:ec2-instance/${id}`,
      account,
      'JOIN_PROOF_OTHER',
    ],
    [
      'a role whose name ends so',
      `arn:aws:sts::${account}:assumed-role/my-aws:ec2-instance/${id}`,
      account,
      'JOIN_PROOF_OTHER',
    ],
    ['an instance profile', `arn:aws:sts::${account}:assumed-role/agent/${id}`, account, 'JOIN_PROOF_OTHER'],
    [
      'a user of that name',
      `arn:aws:iam::${account}:user/aws:ec2-instance/${id}`,
      account,
      'JOIN_PROOF_OTHER',
    ],
    ['upper case', instanceArn('sts').toUpperCase(), account, 'JOIN_PROOF_OTHER'],
    ['a space at the end', `${instanceArn('sts')} `, account, 'JOIN_PROOF_OTHER'],
    ['a line end at the end', `${instanceArn('sts')}\n`, account, 'JOIN_PROOF_OTHER'],
  ])('of %s is judged by the whole ARN', async (_, arn, of, verdict) => {
    sts.answer = (__, response) => response.end(identityXml(arn, of))
    expect(await verdictOf(verifier, proved())).toBe(verdict)
  })

  it.each([
    ['another nonce', {}, { nonce: `${nonce}x` }],
    ['a nonce with a line end', {}, { nonce: `${nonce}\r\nX-Amz-Date: 1` }],
    ['no nonce', {}, { nonce: '' }],
    ['a date five minutes and a second ago', { date: basicDate(now - 301_000) }, {}],
    ['a date in more than five minutes', { date: basicDate(now + 301_000) }, {}],
    [
      'a date that is not in the calendar',
      { date: '20260231T010203Z' },
      { now: Date.UTC(2026, 2, 3, 1, 2, 3) },
    ],
    ['another region', { region: 'eu-west-1', host: 'sts.eu-west-1.amazonaws.com' }, {}],
    ['a region of another partition', { region: 'cn-north-1', host: 'sts.cn-north-1.amazonaws.com.cn' }, {}],
    ['the global host', { host: 'sts.amazonaws.com' }, {}],
    ['a host with a port', { host: `${host}:443` }, {}],
    ['a POST', { method: 'POST' }, {}],
    [
      'a POST with a body',
      { method: 'POST', query: '', body: 'Action=GetCallerIdentity&Version=2011-06-15' },
      {},
    ],
    ['another action', { query: 'Action=GetSessionToken&Version=2011-06-15' }, {}],
    ['another order of the query', { query: 'Version=2011-06-15&Action=GetCallerIdentity' }, {}],
    ['another path', { path: '//' }, {}],
    ['a further signed header', { more: { 'x-more': '1' } }, {}],
    ['a signed user agent', { more: { 'user-agent': 'curl' } }, {}],
    ['another service', { service: 's3' }, {}],
  ] as [string, Partial<SigningInput>, object][])('for %s is refused', async (_, more, request) => {
    expect(await verdictOf(verifier, { ...proved(more), ...request })).toBe('JOIN_PROOF_INVALID')
  })

  it('within five minutes of either side is accepted', async () => {
    for (const offset of [-300_000, 300_000])
      expect(await verdictOf(verifier, proved({ date: basicDate(now + offset) }))).toBe('accepted')
  })
})

describe('hostile proofs', () => {
  const proof = () => stsProof(signing()) as Record<string, string>
  /** As far as the sender can choose: no request may differ from the one form in more than signed values. */
  function checkArrived(): void {
    for (const { method, url, body, rawHeaders } of sts.arrived) {
      expect([method, url, body]).toEqual(['GET', '/?Action=GetCallerIdentity&Version=2011-06-15', ''])
      const names = rawHeaders.filter((__, at) => at % 2 === 0)
      expect(names).toEqual([
        'Host',
        'X-Amz-Date',
        'X-Amz-Security-Token',
        'X-Provision-Nonce',
        'Connection',
        'Authorization',
      ])
      expect(rawHeaders[1]).toBe(host)
      expect(rawHeaders[7]).toBe(nonce)
    }
  }

  it.each(['region', 'date', 'authorization', 'token'])('with any other %s are refused', async (name) => {
    const good = proof()
    const mutants = textMutants(good[name]!)
    const verdicts = new Map<string, string[]>()
    for (const value of mutants) {
      const verdict = await verdictOf(verifier, joinRequest({ ...good, [name]: value }, { id }, { now }))
      verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), value])
    }
    expect([...verdicts.keys()]).toEqual(['JOIN_PROOF_INVALID'])
    expect(mutants.length).toBeGreaterThan(name === 'authorization' ? 1000 : 40)
    checkArrived()
  })

  it('of another form are refused, and nothing is sent', async () => {
    const mutants = formMutants(proof())
    expect(mutants.length).toBeGreaterThan(60)
    for (const mutant of mutants)
      expect([mutant, await verdictOf(verifier, joinRequest(mutant, { id }, { now }))]).toEqual([
        mutant,
        'JOIN_PROOF_INVALID',
      ])
    expect(sts.arrived).toEqual([])
  })

  const tricks: [string, (text: string) => string][] = [
    ['a header twice', (text) => text.replace('SignedHeaders=host;', 'SignedHeaders=host;host;')],
    ['another order of headers', (text) => text.replace('host;x-amz-date', 'x-amz-date;host')],
    ['upper case headers', (text) => text.replace('host;x-amz-date', 'Host;X-Amz-Date')],
    ['no nonce among the headers', (text) => text.replace(';x-provision-nonce', '')],
    ['a further header', (text) => text.replace('x-provision-nonce', 'x-provision-nonce;x-z')],
    ['two signatures', (text) => `${text}, Signature=${'0'.repeat(64)}`],
    [
      'two credentials',
      (text) => text.replace('Credential=', `Credential=ASIA0/20260101/x/sts/aws4_request, Credential=`),
    ],
    ['a signature in upper case', (text) => text.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase())],
    ['a line end and a header', (text) => `${text}\r\nHost: evil.example.com`],
    ['no spaces after commas', (text) => text.replaceAll(', ', ',')],
    ['two spaces after commas', (text) => text.replaceAll(', ', ',  ')],
    ['the older algorithm', (text) => text.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1')],
    [
      'the algorithm of several regions',
      (text) => text.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
    ],
    ['a credential with a slash', (text) => text.replace('Credential=', 'Credential=a/')],
    ['another day of the credential', (text) => text.replace(/\/\d{8}\//, '/20200101/')],
    ['another region of the credential', (text) => text.replace('us-west-2/sts', 'us-west-1/sts')],
    ['another service of the credential', (text) => text.replace('/sts/', '/s3/')],
  ]
  it.each(tricks)('with %s are refused, and nothing is sent', async (_, change) => {
    const good = proof()
    const authorization = change(good['authorization']!)
    expect(authorization).not.toBe(good['authorization'])
    expect(await verdictOf(verifier, joinRequest({ ...good, authorization }, { id }, { now }))).toBe(
      'JOIN_PROOF_INVALID',
    )
    expect(sts.arrived).toEqual([])
  })

  it('stolen from another instance are refused', async () => {
    const thief = identity('THIEF', instanceArn('sts', 'i-0fedcba9876543210'))
    identities.push(thief)
    expect(await verdictOf(verifier, proved(thief))).toBe('JOIN_PROOF_OTHER')
    expect(
      await verdictOf(verifier, joinRequest(stsProof(signing()), { id: 'i-0fedcba9876543210' }, { now })),
    ).toBe('JOIN_PROOF_OTHER')
    identities.pop()
  })

  it('never show a token or a signature in the refusal', async () => {
    const good = proof()
    const messages = await Promise.all(
      [
        good,
        { ...good, token: `${good['token']}A` },
        { ...good, authorization: `${good['authorization']} ` },
      ].map((one) => messageOf(verifier, joinRequest(one, { id: 'i-0fedcba9876543210' }, { now }))),
    )
    expect(messages.join('\n')).not.toContain(good['token'])
    expect(messages.join('\n')).not.toMatch(/[0-9a-f]{64}/)
  })
})

describe('an STS that settles nothing', () => {
  const answers: [string, number, string, Record<string, string>?][] = [
    ['a redirect', 302, '', { location: '/elsewhere' }],
    ['a permanent redirect', 308, '', { location: 'https://evil.example.com/' }],
    ['an internal error', 500, errorXml('InternalFailure')],
    ['a busy server', 503, errorXml('ServiceUnavailable')],
    ['a throttled call', 400, errorXml('Throttling')],
    ['too many requests', 429, errorXml('TooManyRequestsException')],
    ['a region that is not enabled', 403, errorXml('RegionDisabledException')],
    ['a portal', 200, '<html>sign in</html>'],
    ['a refusing proxy', 403, '<html>Forbidden</html>'],
    ['nothing', 200, ''],
    ['an identity without an ARN', 200, identityXml('', account)],
    [
      'an answer of another action',
      200,
      identityXml(instanceArn('sts'), account).replaceAll('GetCallerIdentity', 'AssumeRole'),
    ],
    ['half an answer', 200, identityXml(instanceArn('sts'), account).slice(0, 300)],
    ['a large answer', 200, identityXml(instanceArn('sts'), account) + ' '.repeat(70_000)],
    ['a created identity', 201, identityXml(instanceArn('sts'), account)],
  ]
  it.each(answers)('answers with %s: the instance may try again', async (_, status, body, headers = {}) => {
    sts.answer = (__, response) => response.writeHead(status, headers).end(body)
    expect(await verdictOf(verifier, proved())).toBe('JOIN_PROOF_UNCHECKED')
    expect(sts.arrived).toHaveLength(1)
  })

  it.each([
    'SignatureDoesNotMatch',
    'InvalidClientTokenId',
    'ExpiredToken',
    'AccessDenied',
    'RequestExpired',
  ])('but a refusal by %s is final', async (code) => {
    sts.answer = (__, response) => response.writeHead(403).end(errorXml(code))
    expect(await messageOf(verifier, proved())).toBe(
      `JOIN_PROOF_INVALID: join proof aws-sts is invalid: STS refused the signed request: ${code}`,
    )
  })

  it('breaks the connection, or cannot be reached', async () => {
    sts.answer = (_, response) => response.destroy()
    expect(await verdictOf(verifier, proved())).toBe('JOIN_PROOF_UNCHECKED')
    expect(await verdictOf(open({ AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' }), proved())).toBe(
      'JOIN_PROOF_UNCHECKED',
    )
  })

  it('does not answer in five seconds', async () => {
    sts.answer = () => {}
    expect(await messageOf(verifier, proved())).toMatch(/^JOIN_PROOF_UNCHECKED: .*no answer within 5 s/)
  })

  it('does not answer before the caller gives up', async () => {
    const stop = new AbortController()
    sts.answer = () => stop.abort(new Error('stopped'))
    await expect(verifier.verify(proved(), stop.signal)).rejects.toThrow('stopped')
  })

  it('is not asked without TLS on another machine', async () => {
    const message = await messageOf(open({ AWS_ENDPOINT_URL_STS: 'http://sts.example.com' }), proved())
    expect(message).toMatch(/^JOIN_PROOF_UNCHECKED: .*not an https:/)
  })
})

describe('TLS', () => {
  const trusted = getCACertificates('default')
  afterEach(() => setDefaultCACertificates(trusted))

  async function withTls(name: string, use: (through: JoinProofVerifier, asked: string[]) => Promise<void>) {
    const { chain, leaf, root } = await createDevelopmentChain({
      names: [name],
      ips: [],
      days: 1,
      now: Date.now(),
    })
    expect(new X509Certificate(root.certificate).ca).toBe(true)
    setDefaultCACertificates([...trusted, root.certificate])
    const secured = await fakeSts({ region, identities, tls: { cert: chain, key: leaf.key } })
    const proxy = await connectProxy({ leadsTo: () => secured.port })
    try {
      await use(open({ HTTPS_PROXY: proxy.url }), proxy.asked)
    } finally {
      await proxy.close()
      await secured.close()
    }
  }

  it('the host of the region is asked, through the proxy', async () => {
    await withTls(host, async (through, asked) => {
      expect(await messageOf(through, proved())).toBe('accepted')
      expect(asked).toEqual([`CONNECT ${host}:443`])
    })
  })

  it('a server without a certificate for the host of STS vouches for nobody', async () => {
    await withTls('sts.example.com', async (through) => {
      expect(await messageOf(through, proved())).toMatch(/^JOIN_PROOF_UNCHECKED: .*altnames/)
    })
  })
})

describe('the account', () => {
  it('that is unknown leaves the proof unchecked', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://127.0.0.1:1')
    try {
      expect(await messageOf(open({ AWS_ENDPOINT_URL_STS: sts.url }), proved())).toMatch(
        /^JOIN_PROOF_UNCHECKED: .*account/,
      )
      expect(sts.arrived).toEqual([])
    } finally {
      vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.url)
    }
  })
})
