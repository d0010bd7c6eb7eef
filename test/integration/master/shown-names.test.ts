// Names from the TLS handshake are shown to people: they must not control the terminal.
import { afterEach, expect, it } from 'vitest'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { rawTlsClient } from '../../support/server.ts'

const masters: TestMaster[] = []
afterEach(async () => {
  for (const master of masters.splice(0)) await master.stop()
})

const upgrade = [
  'GET /agents?id=i-raw&reconnect=false HTTP/1.1',
  'Host: master.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')

it.each([
  ['master.test', 'master.test'],
  ['x'.repeat(253), 'x'.repeat(253)],
  ['\x1b]0;x\x07\x1b[2Jmaster', '?]0;x??[2Jmaster'],
])('the name an agent asks for is kept printable: %j', async (servername, shown) => {
  const m = await startMaster({})
  masters.push(m)
  const { socket, text } = rawTlsClient(m.listener.port, { servername }, upgrade)
  await expect.poll(text).toContain('101 ')
  const [agent] = m.master.agents()
  socket.destroy()
  expect(agent?.link.tls?.serverName).toBe(shown)
})
