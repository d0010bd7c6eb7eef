// Servers of others that demand client certificates, in front of a master: nginx, and one that verifies as Determined's master
// does. Certificates of instances, made by openssl, are accepted from every client, and nothing else is.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { probeDemand } from '../../../src/pki/preflight-demand.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { embed } from '../../support/masters.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'
import { until } from '../../support/server.ts'
import { cleanEnv, converse, run, todaysGo, withGoProgram } from './run.ts'

const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx'].find(existsSync)
if (!nginx) console.warn('skipped without nginx: its verification of client certificates')

const folder = mkdtempSync(join(tmpdir(), 'demanding-'))
const file = (name: string) => join(folder, name)
const text = (name: string) => readFileSync(file(name), 'utf8')
const openssl = (...args: string[]) => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

function authority(name: string): void {
  const usage = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign']
  const extensions = usage.flatMap((one) => ['-addext', one])
  const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
  openssl('req', '-x509', ...newKey, ...files, '-subj', `/CN=${name}`, '-days', '30', ...extensions)
}

/** In the form of the agents' CA: the common name and a URI are the instance's id. */
function certificate(name: string, ca: string, id: string, days = '7', extensions = forClients(id)): void {
  openssl('req', '-new', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${id}`)
  writeFileSync(file('extensions'), extensions)
  const signer = ['-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-extfile', 'extensions']
  openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, '-days', days, ...signer)
}

const forClients = (id: string) => `basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectAltName=URI:provision:instance:${id}
`

type Shown = 'own' | 'foreign' | 'expired' | undefined
let master: TestMaster
let home: AgentHome
let goDemand: string
let goDial: string
const children: ChildProcess[] = []

beforeAll(async () => {
  for (const ca of ['agents', 'strangers', 'servers']) authority(ca)
  // The same name, another key.
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'twin.key',
    '-out',
    'twin.crt',
    '-subj',
    '/CN=agents',
    '-days',
    '30',
  )
  certificate('own', 'agents', 'i-1')
  certificate('foreign', 'twin', 'i-1')
  certificate('expired', 'agents', 'i-1', '-1')
  certificate('public', 'strangers', 'i-1')
  certificate('probe', 'agents', 'provision-probe')
  const named = 'subjectAltName=DNS:master.test\n'
  certificate('server', 'servers', 'master.test', '30', named)
  writeFileSync(file('nothing'), '# no certificate\n')
  master = await startMaster({}, { tls: undefined })
  await withGoProgram('demand', async (built) => execFileSync('cp', [built, file('demand')]))
  await withGoProgram('dial', async (built) => execFileSync('cp', [built, file('dial')]))
  goDemand = file('demand')
  goDial = file('dial')
}, 600_000)
afterAll(async () => {
  for (const child of children) child.kill()
  await master.stop()
  rmSync(folder, { recursive: true })
})

const backend = () => `http://127.0.0.1:${master.listener.port}`

/** `ca`: the file of client CAs; empty: none is named. */
async function inGo(ca: string, env = cleanEnv): Promise<number> {
  const args = [file('server.crt'), file('server.key'), ca, backend()]
  const child = spawn(goDemand, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  const [line] = await once(createInterface(child.stdout), 'line')
  return Number(/\d+$/.exec(line)![0])
}

async function inNginx(verify = 'on'): Promise<number> {
  const port = await freePort()
  const place = mkdtempSync(join(folder, 'nginx-'))
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(place, name))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${place}/${name.replace('client_', '')};`,
  )
  writeFileSync(
    join(place, 'nginx.conf'),
    `daemon off; master_process off; pid ${place}/pid; error_log ${place}/error.log;
events {}
http {
  access_log off; ${temporary.join(' ')}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${file('server.crt')}; ssl_certificate_key ${file('server.key')};
    ssl_client_certificate ${file('agents.crt')}; ssl_verify_client ${verify};
    location / {
      proxy_pass ${backend()}; proxy_http_version 1.1; proxy_read_timeout 60s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
    }
  }
}
`,
  )
  const child = spawn(nginx!, ['-p', place, '-e', `${place}/error.log`, '-c', `${place}/nginx.conf`], {
    stdio: 'ignore',
  })
  children.push(child)
  let isOpen = false
  await until(() => {
    if (child.exitCode !== null) throw new Error(readFileSync(`${place}/error.log`, 'utf8'))
    const probing = connect(port, '127.0.0.1', () => {
      isOpen = true
      probing.destroy()
    })
    probing.on('error', () => {})
    return isOpen
  }, 'nginx')
  return port
}

async function freePort(): Promise<number> {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as { port: number }
  await new Promise((resolve) => listening.close(resolve))
  return port
}

// Each client asks for the upgrade of an agent: whether the master behind the server has answered it with 101.

type Client = (port: number, shown: Shown | 'public') => Promise<boolean>
const path = (client: string) => `/agents?id=${client}&version=1&resource_pool=default&reconnect=false`
const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
const headers = [...upgrade, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']

const clients: Record<string, Client> = {
  async curl(port, shown) {
    const own = shown ? ['--cert', file(`${shown}.crt`), '--key', file(`${shown}.key`)] : []
    const where = ['--cacert', file('servers.crt'), '--resolve', `master.test:${port}:127.0.0.1`]
    const asked = headers.flatMap((header) => ['-H', header])
    // An upgraded connection stays open: curl ends by its time limit, after the status was written.
    const args = ['-sS', '-i', '--http1.1', '--max-time', '3', ...where, ...own, ...asked]
    const url = `https://master.test:${port}${path('curl')}`
    const { stdout } = await run('curl', [...args, url], { env: cleanEnv }).catch((failed) => failed)
    return /^HTTP\/1\.1 101 /.test(stdout)
  },
  openssl(port, shown) {
    const own = shown ? ['-cert', file(`${shown}.crt`), '-key', file(`${shown}.key`)] : []
    const args = ['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, '-CAfile', file('servers.crt')]
    const verified = ['-verify_return_error', '-servername', 'master.test', ...own]
    const child = spawn('openssl', [...args, ...verified], { env: cleanEnv })
    children.push(child)
    child.stdin.on('error', () => {})
    child.stdin.write(
      `GET ${path('openssl')} HTTP/1.1\r\nHost: master.test\r\n${headers.join('\r\n')}\r\n\r\n`,
    )
    return new Promise((resolve) => {
      let out = ''
      child.stdout.on('data', (chunk) => {
        out += chunk
        if (out.includes('\r\n')) child.kill()
      })
      child.once('close', () => resolve(/^HTTP\/1\.1 101 /.test(out)))
      setTimeout(() => child.kill(), 10_000).unref()
    })
  },
  async Go(port, shown) {
    const own = shown ? { clientPem: text(`${shown}.crt`), clientKeyPem: text(`${shown}.key`) } : {}
    const job = { id: 'go', port, anchorsPem: text('servers.crt'), certificateName: 'master.test', ...own }
    const answer = await converse<Record<string, string>>(
      goDial,
      [],
      [{ ...job, path: path('go') }],
      todaysGo,
    )
    return answer['go'] === ''
  },
  async 'the built-in agent'(port, shown) {
    home = agentHome()
    const tls = { client_cert: file(`${shown}.crt`), client_key: file(`${shown}.key`) }
    const agent = home.run(
      {
        DET_MASTER_PORT: port,
        DET_AGENT_ID: 'i-1',
        DET_SECURITY_TLS_ENABLED: 'true',
        DET_SECURITY_TLS_MASTER_CERT: file('servers.crt'),
        DET_SECURITY_TLS_MASTER_CERT_NAME: 'master.test',
      },
      shown ? `security: ${JSON.stringify({ tls })}\n` : '',
    )
    const joined = () => master.master.agent('i-1')?.phase === 'joined'
    let exit: number | undefined
    void agent.exit.then((status) => {
      exit = status
    })
    await until(() => joined() || exit !== undefined, 'the agent to join or to end', 60)
    const result = joined()
    await home.dispose()
    await until(() => !master.master.agent('i-1'), 'the master to forget it')
    return result
  },
}

afterEach(async () => {
  for (const agent of ['curl', 'openssl', 'go'])
    await until(() => !master.master.agent(agent), `the master to forget ${agent}`)
})

const probe = async (port: number) => {
  const { problems, unknown } = await probeDemand({
    address: { scheme: 'https', host: '127.0.0.1', port },
    plan: embed('master.test', ['root', text('servers.crt')]),
    timeoutMs: 20_000,
    clock: systemClock,
    joinProof: { pool: 'default', certificate: { cert: text('probe.crt'), key: text('probe.key') } },
  })
  return unknown ?? problems.map(({ code }) => code)
}

const accepted: Record<string, boolean> = { own: true, foreign: false, expired: false, none: false }
async function answersOf(client: Client, port: number) {
  const answers: Record<string, boolean> = {}
  for (const shown of ['own', 'foreign', 'expired', undefined] as const)
    answers[shown ?? 'none'] = await client(port, shown)
  return answers
}

describe.each(Object.entries(clients))('%s', (_, client) => {
  it.runIf(nginx)('is accepted by nginx with a certificate of its instance only', async () => {
    expect(await answersOf(client, await inNginx())).toEqual(accepted)
  })

  it('is accepted by a master in Go with a certificate of its instance only', async () => {
    expect(await answersOf(client, await inGo(file('agents.crt')))).toEqual(accepted)
  })
})

describe('a master in Go', () => {
  it('whose client_ca is empty takes the CAs of its machine, so others are accepted and ours are not', async () => {
    const port = await inGo('', {
      ...cleanEnv,
      SSL_CERT_FILE: file('strangers.crt'),
      SSL_CERT_DIR: `${folder}/none`,
    })
    const { Go } = clients
    expect([await Go!(port, 'public'), await Go!(port, 'own'), await Go!(port, undefined)]).toEqual([
      true,
      false,
      false,
    ])
    expect(await probe(port)).toEqual(['JOIN_CERTIFICATE_REFUSED'])
  })

  it('whose client_ca contains no certificate accepts nobody', async () => {
    const port = await inGo(file('nothing'))
    const { Go } = clients
    expect([await Go!(port, 'own'), await Go!(port, undefined)]).toEqual([false, false])
    expect(await probe(port)).toEqual(['JOIN_CERTIFICATE_REFUSED'])
  })

  it('that demands our certificates passes the check', async () => {
    expect(await probe(await inGo(file('agents.crt')))).toEqual([])
  })
})

describe.runIf(nginx)('nginx', () => {
  it.each([
    ['on', []],
    ['off', ['JOIN_ANYONE_ACCEPTED']],
    ['optional', ['JOIN_ANYONE_ACCEPTED']],
    ['optional_no_ca', ['JOIN_ANYONE_ACCEPTED']],
  ])('with ssl_verify_client %s is judged by the check', async (verify, codes) => {
    expect(await probe(await inNginx(verify))).toEqual(codes)
  })
})
