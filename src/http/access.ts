// Who may ask what: changes need the token; reads are open on loopback only, elsewhere all but a few need it, too.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { lstatSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { type Handler, readPlainFile, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { pathOf, sendJson } from './router.ts'

/** What agents and load balancers need before anyone could give them a token. */
export const openPaths: readonly string[] = ['/agents', '/info', '/api/v1/master', '/healthz']

export interface AccessOptions {
  /** undefined: nobody has one, so nothing can be changed and nothing more be read from elsewhere. */
  token?: string
  /** Who shows a certificate of the listener's client CA may do what the token lets do. */
  takesCertificates?: boolean
}

/** Put it first: it answers what is not allowed and leaves the rest to the handlers behind it. */
export function accessHandler({ token, takesCertificates = false }: AccessOptions): Handler {
  return (request, response) => {
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (reads && openPaths.includes(pathOf(request))) return false
    if (takesCertificates && showsCertificate(request) && !isFromPage(request)) return false
    const offered = bearer(request)
    if (offered !== undefined) {
      if (token !== undefined && sameToken(offered, token)) return false
      return refuse(response, 'this token is not valid')
    }
    if (reads && isLocal(request)) return false
    return refuse(
      response,
      reads ? 'a token is needed to read this, but on this machine at localhost' : 'a token is needed',
    )
  }
}

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

/** From this machine and not on behalf of another: a proxy here, or a page in a browser here, may speak for anyone. */
function isLocal(request: IncomingMessage): boolean {
  const { headers } = request
  if (
    headers['x-forwarded-for'] !== undefined ||
    headers.forwarded !== undefined ||
    headers.via !== undefined
  )
    return false
  if (!isLoopback(request.socket.remoteAddress ?? '')) return false
  return isLoopbackHost(headers.host)
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

/** A name that merely resolves to 127.0.0.1 is how a web page reaches local servers (DNS rebinding). */
function isLoopbackHost(host: string | undefined): boolean {
  if (host === undefined) return true
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)
}

/**
 * The token that lets a client change things is one line in a file only its owner can read. Reads it, or makes one (256 bits)
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
