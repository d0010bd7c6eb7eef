// `npm run bench joins`: a thousand instances that join, each with a challenge, a proof that is not looked at, and a certificate.
import { spawn } from 'node:child_process'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensureCa } from '../src/join/index.ts'
import { createDevelopmentChain } from '../src/pki/index.ts'
import { systemClock } from '../src/platform/index.ts'
import { openStateStore } from '../src/state/index.ts'
import type { Report } from './measure.ts'

const instances = 1_000
/** Of a pace of a thousand in a minute: each starts by itself, however long the others take. */
const perSecond = instances / 60

const header = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')

const tlv = (tag: number, ...parts: Uint8Array[]) => {
  const content = Buffer.concat(parts)
  const long = content.length < 0x80 ? [] : content.length < 0x100 ? [0x81] : [0x82, content.length >> 8]
  return Buffer.concat([Buffer.from([tag, ...long, content.length & 0xff]), content])
}

/** A certificate request, and where its key gets a nonce. */
function csrOf(id: string): { csr: string; challenge: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  if (!spki.subarray(0, header.length).equals(header)) throw new Error('another form of key')
  const name = tlv(0x30, tlv(0x31, tlv(0x30, Buffer.from('0603550403', 'hex'), tlv(0x0c, Buffer.from(id)))))
  const info = tlv(0x30, Buffer.from('020100', 'hex'), name, spki, tlv(0xa0))
  const signature = tlv(0x03, Buffer.of(0), sign('sha256', info, privateKey))
  const csr = tlv(0x30, info, Buffer.from('300a06082a8648ce3d040302', 'hex'), signature).toString('base64')
  return { csr, challenge: `/v1/join/challenge?key=${createHash('sha256').update(spki).digest('hex')}` }
}

function call(port: number, ca: string, method: string, path: string, body?: unknown): Promise<string> {
  const to = { host: '127.0.0.1', port, ca, servername: 'bench.test', agent: false as const }
  return new Promise((resolve, reject) => {
    const sent = request({ ...to, method, path }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part) => (text += part))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`${response.statusCode} ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

async function asked(join: () => Promise<void>): Promise<void> {
  for (;;)
    try {
      return await join()
    } catch (error) {
      if (!/^(429|503) /.test((error as Error).message)) throw error
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
}

interface Held {
  /** Of the processor, in one turn of the event loop. */
  worst: number
  p99: number
  cpuMs: number
}

/** Milliseconds each took, of all that begin at `pace` a second. */
async function joins(pace: number): Promise<{ took: number[]; held: Held; seconds: number }> {
  const chain = await createDevelopmentChain({ names: ['bench.test'], ips: [], days: 1, now: Date.now() })
  // As after a restart: the CA is there, and the endpoint has written no certificate yet.
  const stateDir = mkdtempSync(join(tmpdir(), 'bench-joins-'))
  const logger = { debug() {}, info() {}, warn: console.error, error: console.error }
  const store = await openStateStore({ state_dir: stateDir }, { clock: systemClock, logger, env: {} })
  await ensureCa(store.join, Date.now())
  await store.close()
  const child = spawn(
    process.execPath,
    ['--no-warnings', new URL('join-endpoint.ts', import.meta.url).pathname],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        BENCH_STATE: stateDir,
        BENCH_PAIR: JSON.stringify([chain.chain, chain.leaf.key]),
      },
    },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const port = Number((await lines.next()).value)
  const csrs = Array.from({ length: instances }, (_, n) => csrOf(`i-${n}`))
  child.stdin.write('start\n')
  const start = performance.now()
  const took = await Promise.all(
    csrs.map(async ({ csr, challenge }, n) => {
      await new Promise((resolve) => setTimeout(resolve, (n / pace) * 1000))
      const begin = performance.now()
      // As the startup script: what is not decided now is asked again.
      await asked(async () => {
        const { nonce } = JSON.parse(await call(port, chain.root.certificate, 'GET', challenge))
        const body = { id: `i-${n}`, nonce, csr, proof: { kind: 'none' } }
        const { certificate } = JSON.parse(await call(port, chain.root.certificate, 'POST', '/v1/join', body))
        if (!certificate.startsWith('-----BEGIN CERTIFICATE-----')) throw new Error('no certificate')
      })
      return performance.now() - begin
    }),
  )
  const seconds = (performance.now() - start) / 1000
  child.stdin.end()
  const held: Held = JSON.parse((await lines.next()).value ?? '{}')
  await once(child, 'exit')
  rmSync(stateDir, { recursive: true })
  return { took: took.sort((a, b) => a - b), held, seconds }
}

export async function joinCosts(): Promise<Report> {
  const { took, held, seconds } = await joins(perSecond)
  const at = (share: number) => took[Math.floor(took.length * share)]!.toFixed(0)
  return {
    title: 'Joins with a proof',
    command: 'npm run bench joins',
    rows: [
      {
        what: `${instances} instances in a minute: time taken`,
        measured: `${seconds.toFixed(1)} s`,
        budget: '62 s',
        met: seconds <= 62,
      },
      {
        what: 'longest turn of the event loop, of the processor; 99 of 100',
        measured: `${held.worst.toFixed(1)} ms; ${held.p99.toFixed(1)} ms`,
        budget: '20 ms',
        met: held.worst <= 20,
      },
      { what: 'a join, median and 99 of 100', measured: `${at(0.5)} / ${at(0.99)} ms`, budget: '' },
      {
        what: 'processor time of the endpoint, each',
        measured: `${(held.cpuMs / instances).toFixed(1)} ms`,
        budget: '',
      },
    ],
    notes: [
      'Two TLS connections each, as the startup script makes them; the state is a folder. Proofs are accepted unseen: what a cloud takes to answer holds nothing.',
    ],
  }
}
