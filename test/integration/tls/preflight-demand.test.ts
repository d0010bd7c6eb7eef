// Whether a master demands certificates of the agents' CA, asked of masters that do, that do not, and that do it wrongly.
import type { Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { preflight } from '../../../src/pki/preflight.ts'
import { type DemandOrder, probeDemand } from '../../../src/pki/preflight-demand.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { checkJoinProof } from '../../../src/provisioner/check-rows.ts'
import { preflightGate } from '../../../src/provisioner/preflight-gate.ts'
import type { ReadyPlan } from '../../../src/provisioner/prepare.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { agentsCa, instanceCertificate } from '../../support/instance-certificates.ts'
import { chain, masterConfig, startMaster, type TestMaster } from '../../support/master.ts'
import { answerInfo, embed, infoBody, Masters, plan } from '../../support/masters.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const root = authority('Root')
const leaf = server(root)
const trust = embed('master.example.com', ['root', root.pem])
const otherCa = authority('Agents CA of another cluster')
const joinProof = { pool: 'gpu', certificate: instanceCertificate('provision-probe') }

const masters = new Masters()
let running: TestMaster | undefined
afterEach(async () => {
  await masters.close()
  await running?.stop()
  running = undefined
})

const refusing = answerInfo(infoBody, 200, { status: 403, body: '{"message":"Forbidden"}' })
const accepting = answerInfo()

/** Like Determined's master: verifies a certificate if there is one, and answers 403 if there is none. */
function judging(accepts: (socket: TLSSocket) => boolean, options: TlsOptions = {}): Promise<number> {
  const serve = (socket: Socket) => {
    const accepted = accepts(socket as TLSSocket)
    return (accepted ? accepting : refusing)(socket)
  }
  const own = { cert: leaf.pem + root.pem, key: leaf.key.pem, requestCert: true, rejectUnauthorized: false }
  return masters.secure({ ...own, ca: agentsCa.pem, ...options }, serve)
}

const shown = (socket: TLSSocket) => socket.getPeerX509Certificate()

function probe(port: number, change: Partial<DemandOrder> = {}) {
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  return probeDemand({ address, plan: trust, timeoutMs: 20_000, clock: systemClock, joinProof, ...change })
}
const codesOf = async (port: Promise<number>, change: Partial<DemandOrder> = {}) => {
  const { problems, unknown } = await probe(await port, change)
  return { codes: problems.map(({ code }) => code), ...(unknown && { unknown }) }
}

type Row = [what: string, port: () => Promise<number>, codes: string[]]
const rows: Row[] = [
  ['verifies them', () => judging((socket) => socket.authorized && shown(socket) !== undefined), []],
  ['verifies them in the handshake', () => judging(() => true, { rejectUnauthorized: true }), []],
  [
    'verifies them in the handshake of TLS 1.2',
    () => judging(() => true, { rejectUnauthorized: true, maxVersion: 'TLSv1.2' }),
    [],
  ],
  ['demands none', () => judging(() => true), ['JOIN_ANYONE_ACCEPTED']],
  ['does not ask for one', () => judging(() => true, { requestCert: false }), ['JOIN_ANYONE_ACCEPTED']],
  ['demands any', () => judging((socket) => shown(socket) !== undefined), ['JOIN_FOREIGN_ACCEPTED']],
  [
    'demands one with the name of the CA',
    () => judging((socket) => shown(socket)?.issuer === 'CN=Agents CA'),
    ['JOIN_FOREIGN_ACCEPTED'],
  ],
  [
    'has another CA, or none',
    () => judging((socket) => socket.authorized && shown(socket) !== undefined, { ca: otherCa.pem }),
    ['JOIN_CERTIFICATE_REFUSED'],
  ],
  ['refuses everybody', () => judging(() => false), ['JOIN_CERTIFICATE_REFUSED']],
]

describe('a master that', () => {
  it.each(rows)('%s', async (_, port, codes) => {
    expect(await codesOf(port())).toEqual({ codes })
  })
})

describe('nothing is told of a master that', () => {
  it.each<[string, () => Promise<number>, RegExp]>([
    ['is not there', () => masters.closedPort(), /no answer: connect ECONNREFUSED/],
    [
      'is unavailable',
      () =>
        masters.secure(
          { cert: leaf.pem + root.pem, key: leaf.key.pem },
          answerInfo('', 503, { status: 503, body: '' }),
        ),
      /status 503/,
    ],
    ['cuts every connection', () => masters.tcp((socket) => socket.resetAndDestroy()), /no answer/],
    ['never answers', () => masters.tcp(() => {}), /no answer in time/],
    [
      'has a certificate that agents do not trust',
      () => judging(() => true, { cert: server().pem }),
      /no answer/,
    ],
  ])('%s', async (_, port, unknown) => {
    expect(await codesOf(port(), { timeoutMs: 1500 })).toEqual({
      codes: [],
      unknown: expect.stringMatching(unknown),
    })
  })

  it('only agents can resolve', async () => {
    const address = {
      scheme: 'https',
      host: 'master.internal',
      port: 1,
      alias: 'x',
    } as unknown as DemandOrder['address']
    expect(await probe(1, { address })).toMatchObject({
      problems: [],
      unknown: expect.stringContaining('agents dial'),
    })
  })
})

it('a master without TLS can demand nothing', async () => {
  const port = await masters.tcp(accepting)
  const address = { scheme: 'http', host: '127.0.0.1', port } as const
  const { problems } = await probe(port, { address, plan: plan('off', 'master.example.com') })
  expect(problems.map(({ code }) => code)).toEqual(['JOIN_ANYONE_ACCEPTED'])
})

describe('the built-in master', () => {
  const [usual] = masterConfig().resource_pools
  const known = { ...usual!, agents: 'known' as const, provider: {} as never }
  const order = async () => {
    const { root } = await chain()
    return {
      address: { scheme: 'https', host: '127.0.0.1', port: running!.listener.port } as const,
      plan: embed('master.test', ['root', root.certificate]),
      timeoutMs: 20_000,
      clock: systemClock,
    }
  }
  const start = async (ca: string, isRequired = true) => {
    const { chain: cert, leaf } = await chain()
    running = await startMaster(
      {
        config: masterConfig({ resource_pools: [{ ...known, pool_name: 'gpu' }] }),
        mayJoin: () => 'no',
        joinProof: { isRequired: () => isRequired, mayJoin: () => 'no' },
      },
      { tls: { cert, key: leaf.key, clientCas: { agents: ca } } },
    )
  }

  it.each([
    ['demands them', agentsCa.pem, true, []],
    ['demands those of another CA', otherCa.pem, true, ['JOIN_CERTIFICATE_REFUSED']],
    ['demands none', agentsCa.pem, false, ['JOIN_ANYONE_ACCEPTED']],
  ])('%s', async (_, ca, isRequired, codes) => {
    await start(ca, isRequired)
    const { problems } = await probe(running!.listener.port, await order())
    expect(problems.map(({ code }) => code)).toEqual(codes)
    expect([running!.refused, running!.master.agents()]).toEqual([[], []])
  })

  it('passes the preflight with a certificate of the agents’ CA', async () => {
    await start(agentsCa.pem)
    expect(await preflight({ ...(await order()), joinProof })).toMatchObject({ verdict: 'ok' })
    const foreign = { pool: 'gpu', certificate: instanceCertificate('provision-probe', otherCa) }
    expect(await preflight({ ...(await order()), joinProof: foreign })).toMatchObject({
      verdict: 'wrong',
      problem: { code: 'PREFLIGHT_CLIENT_CERT_REQUIRED', remedy: expect.stringContaining('client_ca') },
    })
  })
})

it('opens the launch gate of a pool whose instances get certificates, and no other', async () => {
  const port = await judging((socket) => socket.authorized && shown(socket) !== undefined)
  const inputs = async (join: object | undefined) => {
    const gate = preflightGate({
      plan: () =>
        ({
          pool: { pool_name: 'gpu', provider: { preflight: 'tls', preflight_proof: 'master' } },
          setup: { master: { scheme: 'https', host: '127.0.0.1', port }, trust, join },
          userData: userDataOf('#!/bin/bash\n'),
          hasClientCertificate: false,
        }) as unknown as ReadyPlan,
      joins: { probe: async () => joinProof.certificate },
      clock: systemClock,
      logger: silentLogger,
    })
    await gate.ask()
    gate.stop()
    return gate.launchInputs()
  }
  expect(await inputs({})).toMatchObject({ kind: 'ready', probe: false })
  expect(await inputs(undefined)).toMatchObject({
    kind: 'refused',
    problem: { code: 'PREFLIGHT_CLIENT_CERT_REQUIRED' },
  })
})

describe('the row of `check`', () => {
  const planFor = (port: number) =>
    ({
      pool: { pool_name: 'gpu', provider: {} },
      setup: { master: { scheme: 'https', host: '127.0.0.1', port }, trust },
    }) as never
  const input = { clock: systemClock, certificate: joinProof.certificate }

  it('passes, fails, or tells why it was not checked', async () => {
    const good = await judging((socket) => socket.authorized && shown(socket) !== undefined)
    const bad = await judging(() => true)
    const row = async (...args: Parameters<typeof checkJoinProof>) => {
      const [found] = await checkJoinProof(...args)
      return [found!.what, found!.result, found!.problem?.code ?? found!.note]
    }
    expect(await row('pool gpu', planFor(good), input)).toEqual([
      'join proof',
      'passed',
      "the master accepts certificates of the agents' CA only",
    ])
    expect(await row('pool gpu', planFor(bad), input)).toEqual([
      'join proof',
      'failed',
      'JOIN_ANYONE_ACCEPTED',
    ])
    expect(await row('pool gpu', planFor(await masters.closedPort()), input)).toEqual([
      'join proof',
      'not_checked',
      expect.stringContaining('ECONNREFUSED'),
    ])
    expect(await row('pool gpu', undefined, input)).toEqual([
      'join proof',
      'not_checked',
      'fix what failed first',
    ])
    expect(await row('pool gpu', planFor(good), { clock: systemClock })).toEqual([
      'join proof',
      'not_checked',
      "there is no agents' CA yet",
    ])
  })
})
