// Streamed responses: they end with the source or the client, and nothing is collected for a client that does not read.
import { connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type Lines, sendLines } from '../../../src/http/json-lines.ts'
import { type Listener, listen } from '../../../src/http/listen.ts'
import { answerRoutes, type Route } from '../../../src/http/router.ts'
import { until } from '../../support/server.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const open: Listener[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(open.splice(0).map((listener) => listener.close(0)))
})

async function serve(lines: Lines, patience?: number): Promise<Listener> {
  const route: Route = { method: 'GET', path: '/lines', answer: () => ({ lines }) }
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    handlers: [
      patience === undefined
        ? answerRoutes([route], (status) => ({ status, value: {} }))
        : (_request, response) => sendLines(response, lines, patience),
    ],
    logger: silentLogger,
    limits: { idle: 100 },
  })
  open.push(listener)
  return listener
}

/** Sends a request and reads nothing until it is resumed. */
function ask(port: number, head = 'GET /lines HTTP/1.1\r\nHost: a\r\n\r\n') {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  const seen = { text: '', closed: false, socket }
  socket.setEncoding('utf8').on('data', (text: string) => {
    seen.text += text
  })
  socket.on('close', () => {
    seen.closed = true
  })
  socket.on('error', () => {})
  socket.write(head)
  return seen
}

async function* three() {
  yield { n: 1 }
  // Longer than a connection may be silent.
  await new Promise((resolve) => setTimeout(resolve, 300))
  yield { n: 2 }
  yield 'three'
}

it('sends each value when it is there, however long the source waits, and keeps the connection', async () => {
  const { port } = await serve(three)
  const client = ask(port)
  await until(() => client.text.includes('{"n":1}\n'), 'the first line')
  expect(client.text).toContain('Cache-Control: no-store')
  expect(client.text).not.toContain('{"n":2}')
  await until(() => client.text.includes('\r\n0\r\n\r\n'), 'the end')
  expect(client.text).toMatch(/\{"n":2\}\n[\s\S]*"three"\n/)
  client.text = ''
  client.socket.write('GET /lines HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => client.text.includes('\r\n0\r\n\r\n'), 'the second response on the same connection')
})

it('answers HEAD with the headers, without asking the source', async () => {
  let asked = 0
  const { port } = await serve(async function* () {
    asked++
    yield 1
  })
  const client = ask(port, 'HEAD /lines HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await until(() => client.closed)
  expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect([client.text.endsWith('\r\n\r\n'), asked]).toEqual([true, 0])
})

it('tells a waiting source that the client has left', async () => {
  const ended: string[] = []
  const { port } = await serve(async function* (signal) {
    try {
      yield 1
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      ended.push('signal')
    } finally {
      ended.push('closed')
    }
  })
  const client = ask(port)
  await until(() => client.text.includes('1\n'))
  expect(ended).toEqual([])
  client.socket.destroy()
  await until(() => ended.length === 2, 'the source to end')
  expect(ended).toEqual(['signal', 'closed'])
})

/** Counts what it was asked for, 10 KB each. */
function endless() {
  const source = { asked: 0, ended: false }
  const lines: Lines = async function* () {
    try {
      for (;;) {
        source.asked++
        yield 'x'.repeat(10_000)
      }
    } finally {
      source.ended = true
    }
  }
  return { source, lines }
}

it('asks for no more than the client reads', async () => {
  const { source, lines } = endless()
  const { port } = await serve(lines)
  const client = ask(port)
  client.socket.pause()
  let before = -1
  await expect
    .poll(
      () => {
        const same = source.asked === before && source.asked > 0
        before = source.asked
        return same
      },
      { interval: 100, timeout: 5000 },
    )
    .toBe(true)
  // What the kernel's buffers of both ends take, and one line; measured 4 to 7 MB on Linux.
  expect(source.asked).toBeLessThan(2500)
  client.socket.resume()
  await until(() => source.asked > before + 10, 'it to go on')
  client.socket.destroy()
  await until(() => source.ended, 'the source to end')
})

it('leaves a client that reads nothing for too long', async () => {
  const { source, lines } = endless()
  const { port } = await serve(lines, 200)
  const client = ask(port)
  client.socket.pause()
  await until(() => source.ended, 'the source to end')
  client.socket.resume()
  await until(() => client.closed)
})

it('cuts the response off when the source fails, so that it does not look complete', async () => {
  const { port } = await serve(async function* () {
    yield 1
    throw new Error('broken')
  })
  const client = ask(port)
  await until(() => client.closed)
  expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(client.text).not.toContain('\r\n0\r\n\r\n')
})
