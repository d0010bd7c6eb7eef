// A socket in the file system: whoever may open the file may ask, so it is its owner's from the first moment on.
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:http'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { Handler, Logger } from '../platform/ports.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { dispatch } from './dispatch.ts'
import { defaultLimits } from './limits.ts'

export interface LocalListener {
  close(): Promise<void>
}

/** What the kernel has room for (sockaddr_un: 108 bytes with the final NUL on Linux, 104 on macOS). */
const longestPath = process.platform === 'darwin' ? 103 : 107

/** Puts the socket (0600) in place of what an earlier process left. Throws CONTROL_SOCKET_UNUSABLE. */
export async function listenLocally(
  path: string,
  handlers: Handler[],
  logger: Logger,
): Promise<LocalListener> {
  const sockets = new Set<Socket>()
  const server = createPlainServer({
    headersTimeout: defaultLimits.headers,
    requestTimeout: defaultLimits.request,
    keepAliveTimeout: defaultLimits.keepAlive,
    maxHeaderSize: defaultLimits.headerSize,
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('request', (request, response) => void dispatch(handlers, logger, request, response))
  let folder: string | undefined
  let inode: number | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Nobody else gets into this folder, so the socket's own mode is set before it can be reached.
    folder = mkdtempSync(join(dirname(path), '.s-'))
    const made = join(folder, 's')
    for (const each of [made, path])
      if (Buffer.byteLength(each) > longestPath)
        throw new Error(`the path is longer than ${longestPath} bytes`)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(made, resolve))
    server.removeAllListeners('error')
    chmodSync(made, 0o600)
    inode = statSync(made).ino
    renameSync(made, path)
  } catch (cause) {
    server.close()
    throw new ProvisionError(
      problem('CONTROL_SOCKET_UNUSABLE', `${path}: ${(cause as Error).message}`, { cause }),
    )
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true })
  }
  server.on('error', (error) => logger.error('the control socket failed', { error }))
  return {
    async close() {
      // Whoever has taken the folder over has a socket of its own there.
      if (statSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true })
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, 1000)
      await closed
      clearTimeout(cut)
    },
  }
}
