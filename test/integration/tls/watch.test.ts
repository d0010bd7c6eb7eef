// A server whose certificate is renewed while it runs: connections stay, new ones get the new certificate.

import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadTlsCredentials, servedPair } from '../../../src/pki/credentials.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { connectAsAgent, dialOptions } from '../../../src/pki/dial-options.ts'
import { watchFiles } from '../../../src/platform/watch.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const name = 'master.example.com'
let directory: string
let server: tls.Server
let stop: () => void

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'watch-tls-'))
  stop = () => {}
})
afterEach(() => {
  stop()
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

function chainFor(days: number): Promise<DevelopmentChain> {
  return createDevelopmentChain({ names: [name], ips: [], days, now: Date.now() })
}

/** As kubelet mounts a secret: a folder for each version, and one link that is replaced. */
function mount(version: string, chain: DevelopmentChain): void {
  const folder = join(directory, `..${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'tls.crt'), chain.chain)
  writeFileSync(join(folder, 'tls.key'), chain.leaf.key)
  symlinkSync(`..${version}`, join(directory, '..next'))
  renameSync(join(directory, '..next'), join(directory, '..data'))
}

async function dial(ca: DevelopmentChain): Promise<tls.TLSSocket> {
  const { port } = server.address() as AddressInfo
  const socket = connectAsAgent({
    host: '127.0.0.1',
    port,
    ...dialOptions({ name, ca: ca.root.certificate }),
  })
  await once(socket, 'secureConnect')
  return socket
}

test('a replaced secret is served to new connections; an invalid one is reported and changes nothing', async () => {
  const [first, second, other] = [await chainFor(90), await chainFor(180), await chainFor(90)]
  mount('first', first)
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(directory, file))
  const files = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') }
  const load = () => loadTlsCredentials(files, { now: Date.now() })
  const clock = new FakeClock()
  const told: string[] = []
  server = tls.createServer(servedPair(load().material!), (socket) =>
    socket.on('error', () => {}).pipe(socket),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  stop = watchFiles({
    files: Object.values(files),
    load: () => {
      const { material: contents, problems } = load()
      return { contents, problems }
    },
    clock,
    intervalMs: 5000,
    graceMs: 0,
    onChange: (material) => server.setSecureContext(servedPair(material)),
    onProblem: (problems) => told.push(...problems.map(({ code }) => code)),
  })
  const before = await dial(first)

  mount('second', second)
  await clock.advance(5000)
  const after = await dial(second)
  await expect(dial(first)).rejects.toMatchObject({ code: expect.stringMatching(/ISSUER|SELF_SIGNED|LEAF/) })

  mount('broken', { ...other, leaf: second.leaf })
  await clock.advance(60_000)
  expect(told).toEqual(['TLS_KEY_MISMATCH'])
  for (const socket of [before, after, await dial(second)]) {
    socket.write('still here')
    expect(String((await once(socket, 'data'))[0])).toBe('still here')
    socket.destroy()
  }
})
