// Connections to a server of this machine that can fall silent, as behind a cut network: open ones stay open, and nothing
// arrives at either end any more. New ones work.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface SilentRelay {
  port: number
  /** How many connections were accepted. */
  accepted(): number
  /** Connections that are open, without the silent ones. */
  open(): number
  /** How many of the silent connections were used: something was sent on them. */
  usedInSilence(): number
  /** Those that are open say nothing from now on. */
  hush(): void
  /** After its head, an answer arrives in so many parts, so many milliseconds apart. */
  slow?: { parts: number; everyMs: number }
  /** Of so many answers the last bytes are missing, and their connections fall silent. */
  cut?: { missing: number; times: number }
  close(): Promise<void>
}

export async function silentRelay(target: number): Promise<SilentRelay> {
  const pairs = new Set<{ near: Socket; far: Socket }>()
  const onward = new Set<Socket>()
  const silent = new Map<Socket, boolean>()
  let accepted = 0
  const server = createServer((near) => {
    accepted++
    const far = connect(target, '127.0.0.1')
    const pair = { near, far }
    onward.add(far)
    far.on('close', () => onward.delete(far))
    pairs.add(pair)
    let sending = Promise.resolve()
    for (const one of [near, far]) one.on('error', () => {})
    // The other end of a silent connection does not learn of it.
    near.on('close', () => {
      pairs.delete(pair)
      if (!silent.has(near)) far.destroy()
    })
    far.on('close', () => sending.then(() => silent.has(near) || near.destroy()))
    near.on('data', (part) => {
      if (silent.has(near)) silent.set(near, true)
      else far.write(part)
    })
    far.on('data', (part) => {
      if (silent.has(near)) return
      sending = sending.then(() => pass(near, part))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  async function pass(near: Socket, part: Buffer): Promise<void> {
    const { slow, cut } = self
    if (cut && cut.times-- > 0) {
      near.write(part.subarray(0, -cut.missing))
      silent.set(near, false)
      return
    }
    const head = part.indexOf('\r\n\r\n') + 4
    near.write(part.subarray(0, head))
    const size = Math.ceil((part.length - head) / (slow?.parts ?? 1))
    for (let at = head; at < part.length; at += size) {
      if (slow) await new Promise((resolve) => setTimeout(resolve, slow.everyMs))
      if (!silent.has(near)) near.write(part.subarray(at, at + size))
    }
  }

  const self: SilentRelay = {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    open: () => [...pairs].filter(({ near }) => !silent.has(near)).length,
    usedInSilence: () => [...silent.values()].filter((isUsed) => isUsed).length,
    hush() {
      for (const { near } of pairs) if (!silent.has(near)) silent.set(near, false)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const { near } of pairs) near.destroy()
      for (const far of onward) far.destroy()
      await closed
    },
  }
  return self
}
