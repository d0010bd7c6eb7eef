// The real command line behind a real proxy (tinyproxy): its hosts exist only in the hosts file that the proxy sees, and it
// asks for a password. What does not go through it fails.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { type FakeEc2, fakeEc2 } from '../../support/fake-ec2/server.ts'
import { fakeGce } from '../../support/fake-gce/server.ts'
import { answerInfo, Masters } from '../../support/masters.ts'
import { metadataServer } from '../../support/metadata-server.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { until } from '../../support/server.ts'

const names = ['ec2', 'compute', 'master'].map((name) => `${name}.only-behind-the-proxy.test`)
const [ec2Host, computeHost, masterHost] = names as [string, string, string]
const secret = 'hunter2-of-the-proxy'

let folder: string
let chain: DevelopmentChain
let proxy: ChildProcess
let env: Record<string, string>
let ports: Record<'ec2' | 'compute' | 'master' | 'proxy', number>
let ec2: FakeEc2
let gce: Awaited<ReturnType<typeof fakeGce>>
let metadata: Awaited<ReturnType<typeof metadataServer>>
const masters = new Masters()
const fronts: Server[] = []

/** TLS in front of a fake that speaks plain http. */
async function secured(port: number): Promise<number> {
  const front = createServer({ cert: chain.chain, key: chain.leaf.key }, (socket) => {
    const onward = connect(port, '127.0.0.1')
    socket.pipe(onward).pipe(socket)
    for (const one of [socket, onward]) one.on('error', () => [socket, onward].map((each) => each.destroy()))
  })
  fronts.push(front)
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  return (front.address() as AddressInfo).port
}

const portOf = (url: string) => Number(new URL(url).port)
const proxyLog = () => readFileSync(join(folder, 'proxy.log'), 'utf8')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinyproxy-'))
  chmodSync(folder, 0o777)
  chain = await createDevelopmentChain({ names, ips: [], days: 30, now: Date.now() })
  ;[ec2, gce] = await Promise.all([fakeEc2(), fakeGce()])
  const token = JSON.stringify({ access_token: 'token', expires_in: 3600, token_type: 'Bearer' })
  metadata = await metadataServer({
    instance: 'attributes/\n',
    'instance/service-accounts/default/token': token,
  })
  const free = await secured(1)
  fronts.pop()?.close()
  ports = {
    ec2: await secured(portOf(ec2.url)),
    compute: await secured(portOf(gce.url)),
    master: await masters.secure({ cert: chain.chain, key: chain.leaf.key }, answerInfo()),
    proxy: free,
  }
  writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost ${names.join(' ')}\n`)
  writeFileSync(join(folder, 'root.pem'), chain.root.certificate)
  writeFileSync(join(folder, 'chain.crt'), chain.chain)
  writeFileSync(join(folder, 'server.key'), chain.leaf.key, { mode: 0o600 })
  writeFileSync(
    join(folder, 'tinyproxy.conf'),
    `Port ${ports.proxy}
Listen 127.0.0.1
Timeout 60
BasicAuth robot ${secret}
LogFile "${join(folder, 'proxy.log')}"
LogLevel Connect
${[ports.ec2, ports.compute, ports.master].map((port) => `ConnectPort ${port}`).join('\n')}
`,
  )
  const inside = `mount --bind ${folder}/hosts /etc/hosts && exec tinyproxy -d -c ${folder}/tinyproxy.conf`
  proxy = spawn('unshare', ['-rm', 'sh', '-c', inside], { stdio: 'ignore' })
  let opened = false
  await until(() => {
    const probe = connect(ports.proxy, '127.0.0.1', () => {
      opened = true
      probe.destroy()
    })
    probe.on('error', () => {})
    return opened
  }, 'tinyproxy')
  env = {
    HTTPS_PROXY: `http://robot:${secret}@127.0.0.1:${ports.proxy}`,
    HTTP_PROXY: `http://robot:${secret}@127.0.0.1:${ports.proxy}`,
    NODE_EXTRA_CA_CERTS: join(folder, 'root.pem'),
    DET_DEBUG_CONFIG_PATH: folder,
    AWS_ENDPOINT_URL_EC2: `https://${ec2Host}:${ports.ec2}`,
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_EC2_METADATA_DISABLED: 'true',
    CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `https://${computeHost}:${ports.compute}/compute/v1/`,
    GCE_METADATA_HOST: metadata.host,
  }
})
afterAll(async () => {
  proxy?.kill()
  for (const front of fronts) front.close()
  await Promise.all([ec2?.close(), gce?.close(), metadata?.close(), masters.close()])
  rmSync(folder, { recursive: true, force: true })
})

function config(provider: string): void {
  const text = `cluster_id: cases
security: {tls: {cert: chain.crt, key: server.key}}
resource_pools:
  - {pool_name: gpu, provider: {master_url: "https://${masterHost}:${ports.master}", preflight: off, ${provider}}}
`
  writeFileSync(join(folder, 'master.yaml'), text)
}

it('EC2 is checked through the proxy, and the output names it without its password', async () => {
  config('type: aws, region: us-west-2, image: {id: ami-2}, instance_type: g5.xlarge')
  const { stdout, stderr } = await runCliAside(['check'], { cwd: folder, env })
  expect(ec2.calls.length).toBeGreaterThan(0)
  expect(stdout).toMatch(
    new RegExp(
      `ok\\s+${ec2Host}:${ports.ec2}\\s+through http://\\*+@127.0.0.1:${ports.proxy} \\(HTTPS_PROXY\\)`,
    ),
  )
  expect(stdout).toMatch(/ok\s+machine image/)
  expect(stdout + stderr).not.toContain(secret)
  expect(proxyLog()).toContain(`CONNECT ${ec2Host}:${ports.ec2}`)
})

it('Compute Engine is called through it, with a token of the metadata server, which is not', async () => {
  config(
    'type: gcp, project: my-project, zone: us-central1-a, boot_disk_source_image: projects/p/global/images/i',
  )
  const { stdout } = await runCliAside(['check'], { cwd: folder, env })
  expect(gce.calls.length).toBeGreaterThan(0)
  expect(metadata.calls.length).toBeGreaterThan(0)
  expect(stdout).toMatch(new RegExp(`ok\\s+${computeHost}:${ports.compute}\\s+through`))
  expect(proxyLog()).toContain(`CONNECT ${computeHost}:${ports.compute}`)
  expect(proxyLog()).not.toContain(metadata.host)
})

it('-m reaches a master through it', async () => {
  const url = `https://${masterHost}:${ports.master}`
  const known: Record<string, string> = { ...env, DET_MASTER_CERT_FILE: join(folder, 'root.pem') }
  expect((await runCliAside(['version', '-m', url], { cwd: folder, env: known })).stdout).toContain('0.38.1')
  const direct = { ...known, HTTPS_PROXY: '' }
  expect((await runCliAside(['version', '-m', url], { cwd: folder, env: direct })).status).not.toBe(0)
})

it('a wrong password and a port that the proxy does not allow are named', async () => {
  config('type: aws, region: us-west-2, image: {id: ami-2}, instance_type: g5.xlarge')
  const wrong = { ...env, HTTPS_PROXY: `http://robot:wrong-word@127.0.0.1:${ports.proxy}` }
  const refused = await runCliAside(['check'], { cwd: folder, env: wrong })
  expect(refused.stdout).toMatch(/refused the tunnel .*40[17]/)
  expect(refused.stdout).not.toContain('wrong-word')
  const closed = { ...env, AWS_ENDPOINT_URL_EC2: `https://${ec2Host}:4443` }
  expect((await runCliAside(['check'], { cwd: folder, env: closed })).stdout).toMatch(
    /refused the tunnel .*403/,
  )
})
