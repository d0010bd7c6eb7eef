// The CA bundle that the script writes, and the clients that use it: Go with SSL_CERT_FILE and no other CA, like the
// agent in its container; openssl, curl and Python like the script and tasks.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { planTrust } from '../../../src/agent-setup/trust.ts'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { chainOf, trustPlan } from '../../support/agent-setups.ts'
import type { ToolBehaviour } from '../../support/fake-tools.ts'
import { Masters } from '../../support/masters.ts'
import { ScriptVms } from '../../support/script-vm.ts'
import { joined } from '../../support/shapes/shape.ts'
import { type Issued, now } from '../../support/x509.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'
import { cleanEnv, converse, run, withGoProgram } from './run.ts'

const masters = new Masters()
const vms = new ScriptVms()
afterEach(async () => {
  vms.close()
  await masters.close()
})

const root = authority('Public Root')
const other = authority('Other Public Root')
const retired = authority('Retired Root')
const cross = authority('Public Root', { key: root.key, issuer: retired })
const below = (issuer: Issued): [leaf: Issued, intermediate: Issued] => {
  const intermediate = authority('R3', { issuer })
  return [server(intermediate), intermediate]
}

interface Case {
  what: string
  /** The well-known roots for rendering. */
  roots: Issued[]
  /** security.tls.cert. */
  file: Issued[]
  /** What the master presents, if that is not the file. */
  served?: Issued[]
  /** The CAs of the machine. */
  machine: Issued[]
  joins: boolean
}

const cases: Case[] = [
  { what: 'a root only in the user data', roots: [root], file: below(root), machine: [], joins: true },
  { what: 'the same beside other CAs', roots: [root], file: below(root), machine: [other], joins: true },
  { what: 'a root only on the machine', roots: [], file: below(root), machine: [other, root], joins: true },
  { what: 'a root on neither', roots: [], file: below(root), machine: [other], joins: false },
  {
    what: 'a renewal under another root that the machine trusts',
    roots: [root],
    file: below(root),
    served: below(other),
    machine: [other],
    joins: true,
  },
  {
    what: 'a renewal under another root that it does not trust',
    roots: [root],
    file: below(root),
    served: below(other),
    machine: [retired],
    joins: false,
  },
  {
    what: 'a chain cross-signed by a root in no list',
    roots: [root],
    file: [...below(root), cross],
    machine: [],
    joins: true,
  },
  {
    what: 'a file with its public root',
    roots: [root],
    file: [...below(root), root],
    machine: [],
    joins: true,
  },
]

let goClient: string
let stop: () => void
let built: Promise<void>
beforeAll(async () => {
  goClient = await new Promise((resolve, reject) => {
    built = withGoProgram('dial', (program) => {
      resolve(program)
      return new Promise<void>((end) => {
        stop = end
      })
    }).catch(reject)
  })
})
afterAll(() => {
  stop?.()
  return built
})

function trustOf({ roots, file }: Case) {
  const { material } = parseTlsCredentials(joined(file), undefined, { now, file: 'chain.pem' })
  const { plan, problems } = planTrust({
    address: { scheme: 'https', host: masterName, port: 443 },
    options: { trust: roots.length > 0 ? 'auto' : 'system', allow_ip_only: false },
    certificateName: masterName,
    material: material!,
    now,
    roots: () => roots.map(({ pem }) => pem),
  })
  if (!plan) throw new Error(JSON.stringify(problems))
  return plan
}

/** Runs the script on a machine with these CAs and this tool; the path of the bundle it writes, and its last stage. */
async function boot(each: Case, port: number, tools: ToolBehaviour) {
  const vm = vms.create(tools)
  if (each.machine.length > 0) vm.write('etc/ssl/cert.pem', joined(each.machine).trimEnd())
  const trust = trustOf(each)
  expect(trust.mode).toBe('system')
  const run = await vm.run({
    trust,
    master: { host: '127.0.0.1', port },
    slotType: 'cpu',
    bootTimeoutSeconds: 14,
  })
  return { ...run, list: join(vm.root, 'usr/local/determined/ca-bundle.crt') }
}

function serve({ file, served = file }: Case): Promise<number> {
  return masters.secure({ cert: joined(served), key: served[0]!.key.pem })
}

const real = async (tool: string) => (await run('bash', ['-c', `type -P ${tool}`])).stdout.trim()

describe.each(cases)('$what', (each) => {
  it(`${each.joins ? 'lets' : 'does not let'} a Go program in that has SSL_CERT_FILE and no other CA`, async () => {
    const port = await serve(each)
    const { list } = await boot(each, port, {})
    const env = { ...cleanEnv, SSL_CERT_FILE: list, SSL_CERT_DIR: '/nonexistent' }
    const job = { id: 'it', port, certificateName: masterName }
    const errors = await converse<Record<string, string>>(goClient, [], [job], env)
    expect(errors['it']).toMatch(each.joins ? /^$/ : /certificate signed by unknown authority/)
  })

  it.each(['openssl', 'curl'])('has the same result with %s on the machine', async (tool) => {
    const path = await real(tool)
    const metadata = 'case "$*" in *169.254*) printf i-1 && exit ;; esac\n'
    const tools: ToolBehaviour =
      tool === 'curl'
        ? { openssl: undefined, curl: `${metadata}exec '${path}' "$@"` }
        : { openssl: `exec '${path}' "$@"`, timeout: `exec '${await real('timeout')}' "$@"` }
    const { stages, output } = await boot(each, await serve(each), tools)
    expect(stages, output).toContain(each.joins ? 'tls_checked' : 'tls_unknown_ca')
    expect(stages).not.toContain(each.joins ? 'tls_unknown_ca' : 'tls_checked')
  })

  it('has the same result with Python and that file', async () => {
    const port = await serve(each)
    const { list } = await boot(each, port, {})
    const program = `import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
try:
    context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname=sys.argv[3])
    print("joined")
except ssl.SSLCertVerificationError as error:
    print(error.verify_code)`
    const { stdout } = await run('python3', ['-c', program, list, String(port), masterName], {
      env: cleanEnv,
    })
    expect(stdout.trim()).toMatch(each.joins ? /^joined$/ : /^(2|19|20)$/)
  })
})

it('openssl reads no directory of the machine when it has the bundle', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hashed-'))
  try {
    writeFileSync(join(folder, 'root.pem'), root.pem)
    await run('openssl', ['rehash', folder])
    const file = below(root)
    const port = await masters.secure({ cert: joined(file), key: file[0].key.pem })
    const path = await real('openssl')
    const vm = vms.create({ openssl: `SSL_CERT_DIR='${folder}' exec '${path}' "$@"` })
    vm.write('etc/ssl/cert.pem', other.pem)
    const trust = { ...trustPlan('system', masterName), wellKnownRoot: chainOf(retired.pem)[0] }
    const { stages } = await vm.run({ trust, master: { host: '127.0.0.1', port }, bootTimeoutSeconds: 14 })
    expect(stages).toContain('tls_unknown_ca')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
