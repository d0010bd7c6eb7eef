// The list of CAs that agents with `trust: system` get: that of the machine, wherever it is, and the root from the user
// data.
import { X509Certificate } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { failureStages } from '../../../src/agent-setup/stages.ts'
import { chainOf, type SetupChanges, trustPlan } from '../../support/agent-setups.ts'
import { dockerRun, rendered, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { authority, masterName } from '../../support/x509-profiles.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

const embedded = authority('Embedded')
const ofMachine = authority('Of the machine')
const another = authority('Another')
const bundle = 'usr/local/determined/ca-bundle.crt'
/** The first one is Debian's. */
const places = [
  'etc/ssl/certs/ca-certificates.crt',
  'etc/pki/tls/certs/ca-bundle.crt',
  'etc/ssl/ca-bundle.pem',
  'etc/pki/tls/cacert.pem',
  'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  'etc/ssl/cert.pem',
]

const unknown: SetupChanges = { trust: trustPlan('system', masterName), slotType: 'cpu' }
const known: SetupChanges = {
  ...unknown,
  trust: { ...trustPlan('system', masterName), wellKnownRoot: chainOf(embedded.pem)[0] },
}

/** Subjects in the list, in its order. */
function listed(vm: ScriptVm): string[] {
  const blocks = vm.read(bundle).match(/-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n/g) ?? []
  return blocks.map((pem) => new X509Certificate(pem).subject)
}

async function listOf(files: Record<string, string>, setup = known, env = {}): Promise<string[]> {
  const vm = vms.create()
  for (const [path, text] of Object.entries(files)) vm.write(path, text)
  const { status, output } = await vm.run(setup, env)
  expect(status, output).toBe(0)
  return listed(vm)
}

describe('the list of CAs contains', () => {
  it.each(places)('those in %s, and the root', async (place) => {
    expect(await listOf({ [place]: ofMachine.pem })).toEqual(['CN=Of the machine', 'CN=Embedded'])
  })

  it('only those of the machine, if no root is known', async () => {
    expect(await listOf({ [places[0]!]: ofMachine.pem }, unknown)).toEqual(['CN=Of the machine'])
  })

  it('only the root, if the machine has no list', async () => {
    expect(await listOf({})).toEqual(['CN=Embedded'])
  })

  it('those of the first file that contains a certificate', async () => {
    const files = {
      [places[0]!]: '',
      [places[1]!]: '# none yet\n',
      [`${places[2]}/a directory`]: '',
      [places[3]!]: ofMachine.pem,
      [places[4]!]: another.pem,
    }
    expect(await listOf(files)).toEqual(['CN=Of the machine', 'CN=Embedded'])
  })

  it.each([
    ['no line end at its end', (pem: string) => pem.trimEnd()],
    ['Windows line ends', (pem: string) => pem.replaceAll('\n', '\r\n').trimEnd()],
    ['text around its certificates', (pem: string) => `# ümlaut $(exit 1)\n${pem}\n\nEND\n`],
  ])('the root of the user data after a list with %s', async (_, written) => {
    const vm = vms.create()
    vm.write(places[0]!, written(ofMachine.pem))
    await vm.run(known)
    expect(vm.read(bundle)).toBe(`${written(ofMachine.pem).trimEnd()}\n${embedded.pem}`)
  })

  it('those in SSL_CERT_FILE, and no other list of the machine', async () => {
    const vm = vms.create()
    vm.write(places[0]!, ofMachine.pem)
    vm.write('opt/own cas.pem', another.pem)
    await vm.run(known, { SSL_CERT_FILE: join(vm.root, 'opt/own cas.pem') })
    expect(listed(vm)).toEqual(['CN=Another', 'CN=Embedded'])
    await vm.run(known, { SSL_CERT_FILE: '/nonexistent' })
    expect(listed(vm)).toEqual(['CN=Embedded'])
  })

  it("the machine's current ones, each time the script runs", async () => {
    const vm = vms.create()
    vm.write(places[0]!, ofMachine.pem)
    await vm.run(known)
    const { ino } = statSync(join(vm.root, bundle))
    vm.write(places[0]!, another.pem)
    await vm.run(known)
    expect(listed(vm)).toEqual(['CN=Another', 'CN=Embedded'])
    // A container has this file mounted.
    expect(statSync(join(vm.root, bundle)).ino).toBe(ino)
    rmSync(join(vm.root, places[0]!))
    await vm.run(known)
    expect(listed(vm)).toEqual(['CN=Embedded'])
  })

  it('its previous contents, if SSL_CERT_FILE names the list itself', async () => {
    const vm = vms.create()
    vm.write(places[0]!, ofMachine.pem)
    await vm.run(known)
    await vm.run(known, { SSL_CERT_FILE: join(vm.root, bundle) })
    expect(listed(vm).slice(0, 2)).toEqual(['CN=Of the machine', 'CN=Embedded'])
  })

  it("those that startup_script has added to the machine's", async () => {
    const script = `mkdir -p "$PROVISION_ROOT/etc/ssl" && cat >"$PROVISION_ROOT/etc/ssl/cert.pem" <<'END'\n${another.pem}END\n`
    expect(await listOf({}, { ...known, startupScript: `#!/bin/bash\n${script}` })).toEqual([
      'CN=Another',
      'CN=Embedded',
    ])
  })
})

it('nothing if the machine has no list and no root is known: the script fails with tls_unknown_ca', async () => {
  const vm = vms.create()
  const { status, output } = await vm.run(unknown)
  expect(status).toBe(failureStages.tls_unknown_ca.exit)
  expect(output).toMatch(
    /PROVISION_STAGE=tls_unknown_ca no CAs in \S+\/etc\/ssl\/certs\/ca-certificates.crt .*: install/,
  )
  expect(vm.tools.calls('docker').filter(({ args }) => args[0] === 'run')).toEqual([])
})

describe('the agent gets the list', () => {
  it('in its container, read-only and by SSL_CERT_FILE, and no certificate of the master', async () => {
    const vm = vms.create()
    await vm.run(known)
    const { environment, mounts } = dockerRun(vm)
    expect(environment).toMatchObject({ SSL_CERT_FILE: `/${bundle}` })
    expect(environment).not.toHaveProperty('DET_SECURITY_TLS_MASTER_CERT')
    expect(mounts).toMatchObject({ [`/${bundle}`]: `/${bundle}` })
    const run = vm.tools.calls('docker').find(({ args }) => args[0] === 'run')
    expect(run!.args).toContain(`${vm.root}/${bundle}:/${bundle}:ro`)
    expect((statSync(join(vm.root, bundle)).mode & 0o777).toString(8)).toBe('644')
  })

  it.each(['gcp', 'local'])('as a process on %s, by SSL_CERT_FILE', async (cloud) => {
    const vm = vms.create()
    vm.write(places[0]!, ofMachine.pem)
    const command = ['bash', '-c', 'echo "$SSL_CERT_FILE" >"$PROVISION_ROOT/told"; sleep 0.2']
    await vm.run({ ...known, cloud, runtime: 'process', command }, { PROVISION_INSTANCE_ID: 'local-1' })
    expect(vm.read('told')).toBe(`${vm.root}/${bundle}\n`)
  })

  it('of this machine, if the VM is a process of it', async () => {
    const script = await rendered({ ...known, cloud: 'local', runtime: 'process', command: ['true'] })
    expect(script).toContain('ca_files=(/etc/{ssl/certs/ca-certificates.crt,')
  })

  it('not if agent.yaml names its own CAs, which are then the only ones', async () => {
    const tls = { enabled: true, master_cert: '/etc/own.crt' }
    const vm = vms.create()
    await vm.run({ ...known, agentConfig: { security: { tls } } })
    expect(vm.has(bundle)).toBe(false)
    expect(dockerRun(vm).environment).not.toHaveProperty('SSL_CERT_FILE')
    expect(dockerRun(vm).mounts).not.toHaveProperty(`/${bundle}`)
  })

  it.each(['embed', 'skip_verify', 'off'] as const)('not with trust: %s', async (mode) => {
    const script = await rendered({ trust: trustPlan(mode, masterName) })
    expect(script).not.toMatch(/ca-bundle|SSL_CERT_FILE/)
  })
})
