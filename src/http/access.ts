// Who may ask what over the network: everything but a few paths needs the token, wherever the request comes from.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { lstatSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { type Handler, readPlainFile, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { pathOf, sendJson } from './router.ts'

/** What agents, load balancers and orchestrators need before anyone could give them a token. */
export const openPaths: readonly string[] = ['/agents', '/info', '/api/v1/master', '/healthz', '/readyz']

export interface AccessOptions {
  /** undefined: nobody has one, so nothing but the open paths can be read, and nothing be changed. */
  token?: string
  /** Further paths that anybody may read. */
  open?: readonly string[]
  /** Who shows a certificate of the listener's client CA may do what the token lets do. */
  takesCertificates?: boolean
}

/**
 * Put it first: it answers what is not allowed and leaves the rest to the handlers behind it. Where a request comes from is
 * no reason to let it through: a proxy, a tunnel or another user of this machine comes from this machine, too. The way in
 * without a token is the control socket, which its file mode guards.
 */
export function accessHandler({ token, open = [], takesCertificates = false }: AccessOptions): Handler {
  const openReads = new Set([...openPaths, ...open])
  return (request, response) => {
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (reads && openReads.has(pathOf(request))) return false
    if (takesCertificates && showsCertificate(request) && !isFromPage(request)) return false
    const offered = bearer(request)
    if (offered === undefined) return refuse(response, `a token is needed: ${howToGetIn}`)
    if (token !== undefined && sameToken(offered, token)) return false
    return refuse(response, `this token is not valid: ${howToGetIn}`)
  }
}

/** For anybody who asks: no path of this machine. */
const howToGetIn =
  'send the header "Authorization: Bearer TOKEN" with the line in the file `token` of the state_dir of the provisioner, or ask on that machine through the socket `control.sock` beside it'

function refuse(response: Parameters<Handler>[1], message: string): true {
  return sendJson(response, 401, { message }, { 'WWW-Authenticate': 'Bearer' })
}

/** `authorized`: Node has verified it against the CA; alone it has meant a resumed session without a certificate, too. */
function showsCertificate({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined
}

/** Browsers show a certificate to whatever address any page names, and say on whose behalf. */
function isFromPage({ headers }: IncomingMessage): boolean {
  return headers.origin !== undefined
}

function bearer(request: IncomingMessage): string | undefined {
  const header = request.headers.authorization
  return header === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '')
}

/**
 * The token that lets a client in is one line in a file only its owner can read. Reads it, or makes one (256 bits)
 * when there is no such file. Throws a ProvisionError when the file is empty or a link, cannot be read or written, or is
 * open to other users.
 */
export function loadToken(file: string): string {
  try {
    const text = readPlainFile(file)
    if (text === undefined) return makeToken(file)
    const mode = lstatSync(file).mode & 0o777
    if (mode & 0o077)
      throw new ProvisionError(
        problem(
          'TOKEN_FILE_OPEN',
          `${file} can be read or written by others (mode ${mode.toString(8).padStart(4, '0')})`,
          {
            remedy: `chmod 600 ${file}, and replace the token if others may have read it.`,
          },
        ),
      )
    const token = text.trim()
    if (token.length >= 16) return token
    throw new ProvisionError(
      problem('TOKEN_FILE_UNUSABLE', `${file} holds no token of at least 16 characters`, {
        remedy: `Delete ${file}: a new token is made at the next start.`,
      }),
    )
  } catch (error) {
    throw error instanceof ProvisionError ? error : unusable(file, error as Error)
  }
}

function makeToken(file: string): string {
  const token = randomBytes(32).toString('base64url')
  try {
    writeFileAtomic(file, `${token}\n`, 0o600)
  } catch (error) {
    throw unusable(file, error as Error)
  }
  return token
}

function unusable(file: string, cause: Error): ProvisionError {
  return new ProvisionError(problem('TOKEN_FILE_UNUSABLE', `${file}: ${cause.message}`, { cause }))
}

/** Takes the same time whatever is offered. */
export function sameToken(offered: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(offered), digest(token))
}
