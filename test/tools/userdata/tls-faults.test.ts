// The script's TLS check on a VM: the real openssl, and without it the real curl, with real masters.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TlsOptions } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { type FailureStage, failureStages } from '../../../src/agent-setup/stages.ts'
import type { TrustPlan } from '../../../src/pki/trust-plan.ts'
import type { ToolBehaviour } from '../../support/fake-tools.ts'
import { embed, Masters, plan } from '../../support/masters.ts'
import { ScriptVms } from '../../support/script-vm.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { dns, ip, purpose } from '../../support/x509-extensions.ts'
import { authority, masterName, type ServerSpec, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const vms = new ScriptVms()
afterEach(async () => {
  vms.close()
  await masters.close()
})

const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })
const trust = embed(masterName, ['root', root.pem])

/** A port with this certificate and its intermediate. */
function serving(
  spec: ServerSpec = {},
  options: TlsOptions = {},
  chain: Issued[] = [intermediate],
): Promise<number> {
  const leaf = server(chain[0], spec)
  const cert = [leaf, ...chain].map(({ pem }) => pem).join('')
  return masters.secure({ cert, key: leaf.key.pem, ...options })
}

interface Case {
  what: string
  port: () => Promise<number>
  /** The script's last stage; `ok` when the agent starts. */
  expected: FailureStage | 'ok'
  trust?: TrustPlan
  host?: string
  /** The stage if curl reports another one. */
  byCurl?: FailureStage | 'ok'
}

const other = authority('Other')
const cases: Case[] = [
  { what: 'a valid chain', port: () => serving(), expected: 'ok' },
  { what: 'TLS 1.2', port: () => serving({}, { maxVersion: 'TLSv1.2' }), expected: 'ok' },
  { what: 'an RSA key', port: () => serving({ key: testKey('rsa2048') }), expected: 'ok' },
  {
    what: 'an address instead of a name',
    port: () => serving({ names: [ip('127.0.0.1')] }),
    trust: embed('127.0.0.1', ['root', root.pem]),
    expected: 'ok',
  },
  {
    what: 'another address',
    port: () => serving({ names: [ip('127.0.0.2')] }),
    trust: embed('127.0.0.1', ['root', root.pem]),
    expected: 'tls_wrong_name',
  },
  { what: 'an unknown CA', port: () => serving({}, {}, [other]), expected: 'tls_unknown_ca' },
  { what: 'another self-signed certificate', port: () => serving({}, {}, []), expected: 'tls_unknown_ca' },
  {
    what: 'another self-signed certificate, unverified',
    port: () => serving({}, {}, []),
    trust: plan('skip_verify', masterName),
    expected: 'ok',
  },
  { what: 'no intermediate sent', port: () => servingAlone(), expected: 'tls_unknown_ca' },
  {
    what: 'another name',
    port: () => serving({ names: [dns('other.example.com')] }),
    expected: 'tls_wrong_name',
  },
  {
    what: 'an expired certificate',
    port: () => serving({ notBefore: now - 2 * day, notAfter: now - day }),
    expected: 'tls_expired',
  },
  {
    what: 'a certificate that is not valid yet',
    port: () => serving({ notBefore: now + day, notAfter: now + 2 * day }),
    expected: 'tls_not_yet_valid',
  },
  {
    what: 'a certificate for clients only',
    port: () => serving({ purposes: [purpose.client] }),
    expected: 'tls_bad_certificate',
  },
  {
    what: 'plain HTTP',
    port: () => masters.tcp((socket) => socket.end('HTTP/1.1 400 Bad\r\n\r\n')),
    expected: 'tls_not_tls',
  },
  {
    what: 'another protocol',
    port: () => masters.tcp((socket) => socket.write('SSH-2.0-x\r\n')),
    expected: 'tls_not_tls',
  },
  {
    what: 'a peer that closes the connection',
    port: () => masters.tcp((socket) => socket.once('data', () => socket.resetAndDestroy())),
    expected: 'tls_handshake_failed',
  },
  { what: 'a silent peer', port: () => masters.tcp(() => {}), expected: 'tls_unreachable' },
  {
    what: 'no listener',
    port: () => masters.closedPort(),
    expected: 'tls_refused',
    byCurl: 'tls_unreachable',
  },
  { what: 'a name without an address', port: () => serving(), host: 'nobody.invalid', expected: 'tls_dns' },
  {
    what: 'a required client certificate',
    port: () => serving({}, { requestCert: true, rejectUnauthorized: true }),
    expected: 'tls_client_certificate',
  },
  {
    what: 'the same over TLS 1.2, where the alert does not name the reason',
    port: () => serving({}, { requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' }),
    expected: 'tls_handshake_failed',
  },
]

function servingAlone(): Promise<number> {
  const leaf = server(intermediate)
  return masters.secure({ cert: leaf.pem, key: leaf.key.pem })
}

/** Waits of 10 seconds are 1 second here; everything else is like on a VM. */
const tools: Record<'openssl' | 'curl', ToolBehaviour> = {
  openssl: { openssl: real('openssl'), timeout: `shift; exec '${find('timeout')}' 1 "$@"` },
  curl: {
    openssl: undefined,
    curl: `case "$*" in *169.254*) printf i-1 && exit ;; esac\nexec '${find('curl')}' "\${@/#10/1}"`,
  },
}

function real(tool: string): string {
  return `exec '${find(tool)}' "$@"`
}

function find(tool: string): string {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, tool))
    .find(existsSync)
  if (!found) throw new Error(`${tool} is not installed; test:tools needs it`)
  return found
}

describe.each(['openssl', 'curl'] as const)('%s with', (tool) => {
  it.each(cases)('$what', async ({ port, expected, byCurl, trust: own = trust, host = '127.0.0.1' }) => {
    const vm = vms.create(tools[tool])
    const master = { host, port: await port() }
    const { status, stages, output } = await vm.run({ master, trust: own, bootTimeoutSeconds: 14 })
    // Not every curl distinguishes no listener from no answer.
    const accepted = tool === 'curl' && byCurl ? [expected, byCurl] : [expected]
    const verdict = stages.includes('tls_checked') ? 'ok' : (stages.at(-1) as FailureStage)
    expect(accepted, output).toContain(verdict)
    expect(status).toBe(verdict === 'ok' ? 0 : failureStages[verdict].exit)
  })
})
