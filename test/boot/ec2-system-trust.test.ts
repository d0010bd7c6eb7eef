// `trust: system` on an EC2 machine whose agent image has no CA files, like the stock image: the agent trusts only the CAs of
// the machine and the root in its user data. With Go installed, a Go client is tested in the same container.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestMaster } from '../support/master.ts'
import { root as repository } from '../support/sources.ts'
import type { Issued } from '../support/x509.ts'
import { dns } from '../support/x509-extensions.ts'
import { authority, server } from '../support/x509-profiles.ts'
import { cleanEnv, run } from '../tools/tls/run.ts'
import type { Machine } from './support/machine.ts'
import { agentImage, Site } from './support/site.ts'

const publicRoot = authority('Public Root')
const otherRoot = authority('Other Public Root')
const pem = (...certificates: Issued[]) => certificates.map((each) => each.pem).join('')

/** The files of a public CA: the chain without its root. */
function fullchain(root: Issued) {
  const intermediate = authority('Intermediate', { issuer: root })
  const leaf = server(intermediate, { names: [dns('master.test')] })
  return { cert: pem(leaf, intermediate), key: leaf.key.pem }
}

let site: Site
let goClient: Uint8Array | undefined
beforeAll(async () => {
  site = await Site.open()
  goClient = await buildGoClient()
})
afterAll(() => site?.dispose())

/** For any Linux; undefined without Go. */
async function buildGoClient(): Promise<Uint8Array | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'go-client-'))
  try {
    const cwd = join(repository, 'test/tools/tls/dial')
    const env = { ...cleanEnv, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' }
    await run('go', ['build', '-o', join(folder, 'dial'), '.'], { cwd, env })
    return readFileSync(join(folder, 'dial'))
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Launch {
  /** The well-known roots of the rendering machine. */
  roots: Issued[]
  trust?: string
  /** Changes the CA file of the machine, `$LIST`. */
  list: string
}

const know = (root: Issued) => `cat >>"$LIST" <<'END'\n${root.pem}END\n`

/** The agent's image without any CA file. */
const bareImage = `#!/bin/bash
set -eu
docker run --name bare --network none --entrypoint rm ${agentImage} -rf /etc/ssl /etc/pki /usr/lib/ssl /usr/share/ca-certificates
[ ! -e /opt/go-client ] || docker cp /opt/go-client bare:/usr/local/bin/go-client
docker commit --change 'ENTRYPOINT ["/opt/provision/entrypoint.sh"]' --change 'CMD []' bare agent:bare
docker rm bare
LIST=/etc/ssl/certs/ca-certificates.crt
`

const askGo = `#!/bin/bash
echo "lists: $(ls -d /etc/ssl /etc/pki 2>/dev/null) SSL_CERT_FILE=$SSL_CERT_FILE"
[ -e /usr/local/bin/go-client ] || exit 0
echo "go: $(echo '[{"id":"verdict","host":"master.test","port":'$DET_MASTER_PORT'}]' | go-client)"
`

async function launch(master: TestMaster, cert: string, { roots, trust = 'auto', list }: Launch) {
  const userData = await site.userData({
    cloud: 'aws',
    port: master.listener.port,
    certificates: cert,
    roots: roots.map((root) => root.pem),
    provider: {
      agent_docker_image: 'agent:bare',
      startup_script: bareImage + list,
      container_startup_script: askGo,
      tls: { trust },
    },
  })
  return site.launch('aws', userData, goClient && { 'opt/go-client': goClient })
}

function listOf(machine: Machine): string {
  return machine.disk('usr/local/determined/ca-bundle.crt')
}

function expectBareImage(machine: Machine): void {
  const output = machine.containers()
  expect(output).toContain('lists:  SSL_CERT_FILE=/usr/local/determined/ca-bundle.crt')
  if (goClient) expect(output).toContain('go: {\\"verdict\\":\\"\\"}')
}

describe.concurrent('an EC2 machine, its agent in an image without CA files, joins a master of a public CA', () => {
  it('whose root is only in the user data', async () => {
    const chain = fullchain(publicRoot)
    const master = await site.master({ tls: chain })
    const { machine, id } = await launch(master, chain.cert, { roots: [publicRoot], list: '' })
    await site.joined(machine, master, id)
    expect(listOf(machine).endsWith(publicRoot.pem)).toBe(true)
    expect(listOf(machine).match(/BEGIN/g)!.length).toBeGreaterThan(100)
    expectBareImage(machine)
  })

  it('whose root is only in the user data, on a machine without a CA file', async () => {
    const chain = fullchain(publicRoot)
    const master = await site.master({ tls: chain })
    const list = 'rm -rf /etc/ssl/certs\n'
    const { machine, id } = await launch(master, chain.cert, { roots: [publicRoot], list })
    await site.joined(machine, master, id)
    expect(listOf(machine).trimStart()).toBe(publicRoot.pem)
    expectBareImage(machine)
  })

  it('whose root is only in the CA file of the machine', async () => {
    const chain = fullchain(publicRoot)
    const master = await site.master({ tls: chain })
    const given = { roots: [], trust: 'system', list: know(publicRoot) }
    const { machine, id } = await launch(master, chain.cert, given)
    await site.joined(machine, master, id)
    expectBareImage(machine)
  })

  it('after a reboot also under another public root that the machine trusts', async () => {
    const chain = fullchain(publicRoot)
    const master = await site.master({ tls: chain })
    const given = { roots: [publicRoot], list: know(otherRoot) }
    const { machine, id } = await launch(master, chain.cert, given)
    const { connection } = await site.joined(machine, master, id)
    await site.until(machine, 'agent_connected', () => machine.stages().includes('agent_connected'))
    await machine.stop()
    expect(master.listener.useCertificate(fullchain(otherRoot))).toBeUndefined()
    machine.boot()
    await site.joined(machine, master, id, connection)
  })
})

it('an EC2 machine with a master whose root neither contains ends with tls_unknown_ca, and names the CA file', async () => {
  const chain = fullchain(publicRoot)
  const master = await site.master({ tls: chain })
  const given = { roots: [], trust: 'system', list: know(otherRoot) }
  const { machine } = await launch(master, chain.cert, given)
  expect(await site.lastStage(machine), machine.describe()).toBe('tls_unknown_ca')
  expect(machine.console()).toContain(
    'as master.test: not from a CA of /etc/ssl/certs/ca-certificates.crt: add its CA by startup_script, or set tls.ca_file.',
  )
  expect(machine.stages()).not.toContain('agent_started')
  expect(master.master.agents()).toEqual([])
})
