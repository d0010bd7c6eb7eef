// The proof `aws-sts`, against an STS that checks signatures: what is accepted, and what is sent.
import { describe, expect, it } from 'vitest'
import { type FakeSts, identityXml } from '../../../support/join-proofs/fake-sts.ts'
import {
  formMutants,
  joinRequest,
  messageOf,
  nonce,
  textMutants,
  verdictOf,
} from '../../../support/join-proofs/requests.ts'
import { basicDate, type SigningInput, stsProof } from '../../../support/join-proofs/sigv4.ts'
import {
  account,
  host,
  id,
  identity,
  instanceArn,
  now,
  proved,
  signing,
  stsBench,
} from '../../../support/join-proofs/sts-bench.ts'

const bench = stsBench()

describe('a signed identity of an instance', () => {
  it('is accepted', async () => {
    expect(bench.verifier.kind).toBe('aws-sts')
    expect(await messageOf(bench.verifier, proved())).toBe('accepted')
  })

  it('is sent as one request of which the sender chose nothing but the signed values', async () => {
    const request = proved()
    await bench.verifier.verify(request)
    const { date, token, authorization } = request.proof as ReturnType<typeof stsProof>
    expect(bench.sts.arrived).toHaveLength(1)
    const [{ method, url, body, rawHeaders }] = bench.sts.arrived as [FakeSts['arrived'][0]]
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
    bench.sts.answer = (__, response) => response.end(identityXml(arn, of))
    expect(await verdictOf(bench.verifier, proved())).toBe(verdict)
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
    expect(await verdictOf(bench.verifier, { ...proved(more), ...request })).toBe('JOIN_PROOF_INVALID')
  })

  it.each([
    ['another region', { region: 'eu-west-1', host: 'sts.eu-west-1.amazonaws.com' }],
    ['another partition', { region: 'cn-north-1', host: 'sts.cn-north-1.amazonaws.com.cn' }],
  ])('for %s is not sent', async (_, more) => {
    expect(await messageOf(bench.verifier, proved(more))).toContain(`signed for region ${more.region}`)
    expect(bench.sts.arrived).toEqual([])
  })

  it('within five minutes of either side is accepted', async () => {
    for (const offset of [-300_000, 300_000])
      expect(await verdictOf(bench.verifier, proved({ date: basicDate(now + offset) }))).toBe('accepted')
  })
})

describe('hostile proofs', () => {
  const proof = () => stsProof(signing()) as Record<string, string>
  /** As far as the sender can choose: no request may differ from the one form in more than signed values. */
  function checkArrived(): void {
    for (const { method, url, body, rawHeaders } of bench.sts.arrived) {
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
      const verdict = await verdictOf(
        bench.verifier,
        joinRequest({ ...good, [name]: value }, { id }, { now }),
      )
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
      expect([mutant, await verdictOf(bench.verifier, joinRequest(mutant, { id }, { now }))]).toEqual([
        mutant,
        'JOIN_PROOF_INVALID',
      ])
    expect(bench.sts.arrived).toEqual([])
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
    expect(await verdictOf(bench.verifier, joinRequest({ ...good, authorization }, { id }, { now }))).toBe(
      'JOIN_PROOF_INVALID',
    )
    expect(bench.sts.arrived).toEqual([])
  })

  it('stolen from another instance are refused', async () => {
    const thief = identity('THIEF', instanceArn('sts', 'i-0fedcba9876543210'))
    bench.identities.push(thief)
    expect(await verdictOf(bench.verifier, proved(thief))).toBe('JOIN_PROOF_OTHER')
    expect(
      await verdictOf(
        bench.verifier,
        joinRequest(stsProof(signing()), { id: 'i-0fedcba9876543210' }, { now }),
      ),
    ).toBe('JOIN_PROOF_OTHER')
    bench.identities.pop()
  })

  it('never show a token or a signature in the refusal', async () => {
    const good = proof()
    const messages = await Promise.all(
      [
        good,
        { ...good, token: `${good['token']}A` },
        { ...good, authorization: `${good['authorization']} ` },
      ].map((one) => messageOf(bench.verifier, joinRequest(one, { id: 'i-0fedcba9876543210' }, { now }))),
    )
    expect(messages.join('\n')).not.toContain(good['token'])
    expect(messages.join('\n')).not.toMatch(/[0-9a-f]{64}/)
  })
})
