// The proof `aws-sts` while STS does not answer, answers otherwise, or is somebody else.
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createDevelopmentChain } from '../../../../src/pki/development-ca.ts'
import type { JoinProofVerifier } from '../../../../src/providers/join-proof.ts'
import { connectProxy } from '../../../support/connect-proxy.ts'
import { errorXml, fakeSts, identityXml } from '../../../support/join-proofs/fake-sts.ts'
import { messageOf, verdictOf } from '../../../support/join-proofs/requests.ts'
import {
  account,
  host,
  instance,
  instanceArn,
  openVerifier,
  proved,
  region,
  stsBench,
} from '../../../support/join-proofs/sts-bench.ts'

const bench = stsBench()

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
    bench.sts.answer = (__, response) => response.writeHead(status, headers).end(body)
    expect(await verdictOf(bench.verifier, proved())).toBe('JOIN_PROOF_UNCHECKED')
    expect(bench.sts.arrived).toHaveLength(1)
  })

  it.each([
    'SignatureDoesNotMatch',
    'InvalidClientTokenId',
    'ExpiredToken',
    'AccessDenied',
    'RequestExpired',
  ])('but a refusal by %s is final', async (code) => {
    bench.sts.answer = (__, response) => response.writeHead(403).end(errorXml(code))
    expect(await messageOf(bench.verifier, proved())).toBe(
      `JOIN_PROOF_INVALID: join proof aws-sts is invalid: STS refused the signed request: ${code}`,
    )
  })

  it('breaks the connection, or cannot be reached', async () => {
    bench.sts.answer = (_, response) => response.destroy()
    expect(await verdictOf(bench.verifier, proved())).toBe('JOIN_PROOF_UNCHECKED')
    expect(await verdictOf(openVerifier({ AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' }), proved())).toBe(
      'JOIN_PROOF_UNCHECKED',
    )
  })

  it('does not answer in five seconds', async () => {
    bench.sts.answer = () => {}
    expect(await messageOf(bench.verifier, proved())).toMatch(/^JOIN_PROOF_UNCHECKED: .*no answer within 5 s/)
  })

  it('does not answer before the caller gives up', async () => {
    const stop = new AbortController()
    bench.sts.answer = () => stop.abort(new Error('stopped'))
    await expect(bench.verifier.verify(proved(), stop.signal)).rejects.toThrow('stopped')
  })

  it('is not asked without TLS on another machine', async () => {
    const message = await messageOf(
      openVerifier({ AWS_ENDPOINT_URL_STS: 'http://sts.example.com' }),
      proved(),
    )
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
    setDefaultCACertificates([...trusted, root.certificate])
    const secured = await fakeSts({ region, identities: [instance], tls: { cert: chain, key: leaf.key } })
    const proxy = await connectProxy({ leadsTo: () => secured.port })
    try {
      await use(openVerifier({ HTTPS_PROXY: proxy.url }), proxy.asked)
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

  it('a server without a certificate for the host of STS confirms no identity', async () => {
    await withTls('sts.example.com', async (through) => {
      expect(await messageOf(through, proved())).toMatch(/^JOIN_PROOF_UNCHECKED: .*altnames/)
    })
  })
})

describe('the account', () => {
  it('that is unknown leaves the proof unchecked', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://127.0.0.1:1')
    try {
      expect(await messageOf(openVerifier({ AWS_ENDPOINT_URL_STS: bench.sts.url }), proved())).toMatch(
        /^JOIN_PROOF_UNCHECKED: .*account/,
      )
      expect(bench.sts.arrived).toEqual([])
    } finally {
      vi.stubEnv('AWS_ENDPOINT_URL_STS', bench.sts.url)
    }
  })
})
