// Authorization over the network: every path but a few needs the token, whatever address the request comes from.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { lstatSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { type Handler, readPlainFile, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { isAdmin } from './client-cas.ts'
import { pathOf, sendJson } from './router.ts'

/** Paths that agents, load balancers and orchestrators call without a token. */
export const openPaths: readonly string[] = ['/agents', '/info', '/api/v1/master', '/healthz', '/readyz']

export interface AccessOptions {
  /** undefined: there is no token, so only the open paths can be read, and nothing can be changed. */
  token?: string
  /** Further tokens with the same access: those of people who have logged in. */
  accepts?: (token: string) => boolean
  /** More paths that can be read without a token. */
  open?: readonly string[]
}

/**
 * Put this handler first: it rejects what is not allowed and leaves the rest to the handlers after it. A request from this
 * machine needs the token too, because a proxy, a tunnel or another user may have sent it. Only the control socket needs no
 * token: its file mode protects it. A client certificate of the listener's CA `admin` grants the same access as the token; that
 * of any other CA grants nothing here.
 */
export function accessHandler({ token, accepts, open = [] }: AccessOptions): Handler {
  const openReads = new Set([...openPaths, ...open])
  return (request, response) => {
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (reads && openReads.has(pathOf(request))) return false
    if (isAdmin(request) && !isFromPage(request)) return false
    const offered = bearer(request)
    if (offered === undefined) return refuse(response, `token required: ${howToGetIn}`)
    if (token !== undefined && sameToken(offered, token)) return false
    if (accepts?.(offered)) return false
    return refuse(response, `invalid token: ${howToGetIn}`)
  }
}

/** Shown to unauthenticated clients, so it contains no path of this machine. */
const howToGetIn =
  'send the header "Authorization: Bearer TOKEN" with the content of the file `token` in the state_dir of the provisioner, or use the socket `control.sock` in the same folder'

function refuse(response: Parameters<Handler>[1], message: string): true {
  return sendJson(response, 401, { message }, { 'WWW-Authenticate': 'Bearer' })
}

/** A browser presents its certificate to any address that a page requests, and sends the page's origin with it. */
function isFromPage({ headers }: IncomingMessage): boolean {
  return headers.origin !== undefined
}

export function bearer(request: IncomingMessage): string | undefined {
  const header = request.headers.authorization
  return header === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '')
}

/**
 * The API token is one line in a file that only its owner can read. Reads it, or creates one (256 bits)
 * when the file does not exist. Throws a ProvisionError when the file is empty or a link, cannot be read or written, or is
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
      problem('TOKEN_FILE_UNUSABLE', `${file} contains no token of at least 16 characters`, {
        remedy: `Delete ${file}: the next start creates a new token.`,
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

/** Constant time. */
export function sameToken(offered: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(offered), digest(token))
}
