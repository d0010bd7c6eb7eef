// LocalStack as a process on its own port: EC2 only, no DNS server, no certificate from the network, no usage reports.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Endpoint {
  url: string
  stop(): Promise<void>
}

const startsWithinMs = 240_000
const stopsWithinMs = 10_000

export async function startLocalStack(python: string): Promise<Endpoint> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const folder = mkdtempSync(join(tmpdir(), 'localstack-'))
  const child = spawn(python, ['-m', 'localstack.runtime.main'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      FILESYSTEM_ROOT: join(folder, 'root'),
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      SERVICES: 'ec2',
      DNS_ADDRESS: '0',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      SKIP_INFRA_DOWNLOADS: '1',
      DISABLE_EVENTS: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => said.splice(0, said.length, `${said.join('')}${part}`.slice(-4000)))
  const ended = once(child, 'close')
  const killed = () => child.kill('SIGKILL')
  process.once('exit', killed)

  async function stop(): Promise<void> {
    child.kill('SIGTERM')
    const late = setTimeout(killed, stopsWithinMs)
    await ended
    clearTimeout(late)
    process.removeListener('exit', killed)
    rmSync(folder, { recursive: true, force: true })
  }

  const until = Date.now() + startsWithinMs
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > until) {
      await stop()
      throw new Error(`LocalStack did not start:\n${said.join('')}`)
    }
    await sleep(200)
  }
  return { url, stop }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/_localstack/health`)).ok
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
