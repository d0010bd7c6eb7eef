// Which master a command talks to: where it is, what is trusted there, and with which token.
import { join } from 'node:path'
import type { MasterConfig } from '../config/master-config.ts'
import { type MasterAddress, masterUrl } from '../pki/master-address.ts'
import { type Problem, problem } from '../problems/problem.ts'
import { readToken, type TokenChoice } from './client-token.ts'
import { type ClientTrust, type TrustVariables, trustByConfig, trustByUrl } from './client-trust.ts'
import { type ClientUrl, parseClientUrl } from './master-url.ts'

export interface Target {
  address: MasterAddress
  /** What stands before the paths of the API. */
  prefix: string
  /** undefined: plain http. */
  trust?: ClientTrust
  access: TokenChoice
}

/** The master this configuration is of, on this machine. Throws what is wrong with its certificate. */
export function targetByConfig(
  config: MasterConfig,
  { tokenFile = join(config.state_dir, 'token'), now }: { tokenFile?: string; now: number },
): Target {
  const cert = config.security.tls?.cert
  return {
    address: { scheme: cert ? 'https' : 'http', host: '127.0.0.1', port: config.port },
    prefix: '',
    ...(cert && { trust: trustByConfig(config, cert, now) }),
    access: readToken(tokenFile),
  }
}

/** A master anywhere. Throws CLIENT_MASTER_URL, and what is wrong with DET_MASTER_CERT_FILE or the trust store. */
export function targetByUrl(
  text: string,
  { tokenFile, env }: { tokenFile?: string; env: TrustVariables },
): Target {
  const url = parseClientUrl(text)
  const { scheme, host, port, prefix } = url
  const address = { scheme, host, port }
  const trust = scheme === 'https' ? trustByUrl(url, env) : undefined
  const withheld = withheldFrom(url, address, trust)
  const access = withheld ? { missing: withheld } : accessBy(tokenFile, address)
  return { address, prefix, ...(trust && { trust }), access }
}

/** Why a token must not be sent there, though there may be one. */
function withheldFrom(url: ClientUrl, address: MasterAddress, trust?: ClientTrust): Problem | undefined {
  if (trust?.unverified)
    return problem('CLIENT_TOKEN_UNVERIFIED', `${masterUrl(address)} is not verified and gets no token`)
  if (trust || url.plainOnPurpose || isLoopback(url.host)) return undefined
  return problem('CLIENT_TOKEN_EXPOSED', `${masterUrl(address)} would be sent the token in plain text`)
}

function accessBy(tokenFile: string | undefined, address: MasterAddress): TokenChoice {
  if (tokenFile) return readToken(tokenFile)
  return { missing: problem('CLIENT_TOKEN_MISSING', `no token was given for ${masterUrl(address)}`) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
