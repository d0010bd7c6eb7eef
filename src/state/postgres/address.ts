// The address of the database: from the configuration, a file, or PostgreSQL's own variables.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { PostgresConfig } from '../../config/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface Address {
  /** A name, an IP address, or the folder of a UNIX socket. */
  host: string
  port: number
  user: string
  database: string
  password?: string
  /** - `verified`: chain and name
   * - `unverified`: encrypted only; somebody wrote that
   * - `off`: plain; somebody wrote that, or nobody else is on the way */
  tls: 'verified' | 'unverified' | 'off'
  /** The server is this machine, by a UNIX socket or loopback. */
  isLocal: boolean
  caFile?: string
  certFile?: string
  keyFile?: string
}

/** Where people write it, for messages. */
type Source = string

interface Written {
  host?: string | undefined
  port?: string | undefined
  user?: string | undefined
  password?: string | undefined
  database?: string | undefined
  sslmode?: string | undefined
  sslrootcert?: string | undefined
  sslcert?: string | undefined
  sslkey?: string | undefined
}

/**
 * Reads `url_file` each time, because passwords are rotated. Throws a ProvisionError (STATE_URL_INVALID) that never shows
 * the address itself.
 */
export function addressOf(config: PostgresConfig, env: Env): Address {
  const source = config.url
    ? 'state.url'
    : config.url_file
      ? `state.url_file ${config.url_file}`
      : 'the environment'
  const url =
    config.url?.reveal() ?? (config.url_file === undefined ? undefined : textOf(config.url_file, source))
  const written = { ...fromEnv(env), ...given(url === undefined ? {} : fromUrl(url.trim(), source)) }
  const host = written.host ?? '/var/run/postgresql'
  if (host.includes(',')) throw invalid(source, 'it names several hosts', oneHost)
  const user = written.user ?? env['USER'] ?? 'postgres'
  const isLocal = isThisMachine(host)
  const [caFile, certFile, keyFile] = [
    config.ca_file ?? written.sslrootcert,
    config.client_cert ?? written.sslcert,
    config.client_key ?? written.sslkey,
  ]
  return {
    host,
    port: portOf(written.port, source),
    user,
    database: written.database ?? user,
    ...(written.password !== undefined && { password: written.password }),
    tls: tlsOf(written.sslmode, source, isLocal && caFile === undefined),
    isLocal,
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  }
}

/** Without the password. */
export function describeAddress({ host, port, database }: Address): string {
  const place = isIP(host) === 6 ? `[${host}]` : host
  return `PostgreSQL ${host.startsWith('/') ? `${host}, port ${port}` : `${place}:${port}`}, database ${database}`
}

/** STATE_UNENCRYPTED, where the way to the server is not private. */
export function unencrypted(address: Address): Problem[] {
  const { tls, isLocal } = address
  if (tls === 'verified' || isLocal) return []
  const what = tls === 'off' ? 'the connection is not encrypted' : 'the certificate is not verified'
  return [problem('STATE_UNENCRYPTED', `${describeAddress(address)}: ${what}`)]
}

const oneHost = 'Name one host: a virtual address, a proxy or a DNS name that leads to the primary.'

function fromEnv(env: Env): Written {
  return given({
    host: env['PGHOST'] || env['PGHOSTADDR'],
    port: env['PGPORT'],
    user: env['PGUSER'],
    password: env['PGPASSWORD'],
    database: env['PGDATABASE'],
    sslmode: env['PGSSLMODE'],
    sslrootcert: env['PGSSLROOTCERT'],
    sslcert: env['PGSSLCERT'],
    sslkey: env['PGSSLKEY'],
  })
}

function fromUrl(text: string, source: Source): Written {
  const [, authority = ''] = /^postgres(?:ql)?:\/\/([^/?#]*)/.exec(text) ?? []
  if (authority.includes(',')) throw invalid(source, 'it names several hosts', oneHost)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid(source, 'it is not a URL', encoded)
  }
  if (!/^postgres(?:ql)?:$/.test(url.protocol)) throw invalid(source, 'it does not begin with postgresql://')
  if (url.hash) throw invalid(source, 'it has a "#", which must be written %23', encoded)
  const options = url.searchParams
  for (const name of options.keys())
    if (!known.includes(name))
      throw invalid(source, `the option ${name} is not known here`, `Options are ${known.join(', ')}.`)
  const option = (name: string) => options.get(name) ?? undefined
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    host: option('host') ?? decoded(host, source),
    port: option('port') ?? url.port,
    user: option('user') ?? decoded(url.username, source),
    password: option('password') ?? decoded(url.password, source),
    database: option('dbname') ?? decoded(url.pathname.slice(1), source),
    sslmode: option('sslmode'),
    sslrootcert: option('sslrootcert'),
    sslcert: option('sslcert'),
    sslkey: option('sslkey'),
  }
}

/** Of libpq's, those that are followed; others would be ignored in silence. */
const known = ['host', 'port', 'user', 'password', 'dbname', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey']
const encoded = 'Percent-encode special characters of the password: %40 for @, %2F for /, %23 for #.'

function decoded(text: string, source: Source): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(source, 'a "%" in it is followed by no two hexadecimal digits', encoded)
  }
}

/** An empty string counts as absent. */
function given(written: Written): Written {
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value))
}

function portOf(text: string | undefined, source: Source): number {
  const port = Number(text ?? 5432)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw invalid(source, 'its port is not a number from 1 to 65535')
}

/**
 * By default the certificate is verified, whatever `require` means elsewhere: libpq's `require` accepts every
 * certificate. Nobody listens in between on a UNIX socket or loopback.
 */
function tlsOf(mode: string | undefined, source: Source, isPlainByDefault: boolean): Address['tls'] {
  if (mode === undefined) return isPlainByDefault ? 'off' : 'verified'
  if (['require', 'verify-ca', 'verify-full'].includes(mode)) return 'verified'
  if (mode === 'no-verify') return 'unverified'
  if (mode === 'disable') return 'off'
  throw invalid(
    source,
    `sslmode ${/^[\w-]{1,20}$/.test(mode) ? mode : ''} may end in plain text without a word`,
    'Write verify-full, which is the default; no-verify encrypts without verification, disable does neither.',
  )
}

function isThisMachine(host: string): boolean {
  return (
    host.startsWith('/') ||
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  )
}

function textOf(file: string, source: Source): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(source, `it cannot be read: ${(cause as Error).message}`)
  }
}

function invalid(source: Source, why: string, remedy?: string): ProvisionError {
  const message = `the address of the state database in ${source}: ${why}`
  return new ProvisionError(problem('STATE_URL_INVALID', message, remedy === undefined ? {} : { remedy }))
}
