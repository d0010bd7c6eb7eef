// Offers a request to each handler in turn. Nothing a handler or a client does gets past here.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Handler, Logger, UpgradeHandler } from '../platform/ports.ts'
import { refuseUpgrade } from '../standalone/protocol/accept.ts'
import { pathOf, sendJson } from './http-answers.ts'

/** Answers 404 when no handler does, 500 when one fails; the reason of a failure goes to the log only. */
export async function dispatch(
  handlers: Handler[],
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => {})
  try {
    for (const handler of handlers) if (await handler(request, response)) return
    sendJson(response, 404, { message: `nothing is at ${pathOf(request).slice(0, 200)}` })
  } catch (error) {
    if (request.destroyed && !response.writableEnded) return
    logger.error('a request handler failed', { method: request.method, path: pathOf(request), error })
    if (response.headersSent) response.destroy()
    else sendJson(response, 500, { message: 'internal error' })
  }
}

export function dispatchUpgrade(
  handlers: UpgradeHandler[],
  logger: Logger,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Node takes its own listener away at the upgrade; an unheard error would end the process.
  socket.on('error', () => socket.destroy())
  try {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket')
      refuseUpgrade(socket, 400, 'the only upgrade spoken here is websocket')
    else if (!handlers.some((handler) => handler(request, socket, head)))
      refuseUpgrade(socket, 404, `nothing is at ${pathOf(request).slice(0, 200)}`)
  } catch (error) {
    logger.error('an upgrade handler failed', { path: pathOf(request), error })
    socket.destroy()
  }
}
