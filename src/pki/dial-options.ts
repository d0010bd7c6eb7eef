// TLS options as an agent dials its master: the offer of a Go program, and only the trust it was given.
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { visible } from './distinguished-name.ts'
import { covers } from './names.ts'

export interface DialTrust {
  /** The name to verify; also sent as SNI unless it is an IP address. */
  name: string
  /** PEM of the only certificates to trust; undefined: the well-known CAs. */
  ca?: string | readonly string[]
  /** False: accept any certificate (`skip_verify`). */
  verify?: boolean
  /** Trust a chain that ends at an anchor which is not a root, as Go does and Python before 3.13 does not. */
  partialChain?: boolean
  /** PEM, for masters that require one. */
  clientCertificate?: { cert: string; key: string }
}

/**
 * What Go 1.22 to 1.24 offer (crypto/tls: cipher_suites.go, common.go, defaults.go). Node's default offers more, with
 * which a preflight would pass where agents fail: DHE, RSA key exchange, CBC with SHA-384, X448, Ed448.
 */
const goOffer = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    ...['ECDSA', 'RSA'].flatMap((key) =>
      ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-SHA', 'AES256-SHA'].map(
        (cipher) => `ECDHE-${key}-${cipher}`,
      ),
    ),
    // Refuses RSA keys below 2048 bits, as Node 24 does; Node 22 would accept them.
    '@SECLEVEL=2',
  ].join(':'),
  ecdhCurve: ['X25519', 'P-256', 'P-384', 'P-521'].join(':'),
  sigalgs: [
    'rsa_pss_rsae_sha256',
    'ecdsa_secp256r1_sha256',
    'ed25519',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
    'ecdsa_secp384r1_sha384',
    'ecdsa_secp521r1_sha512',
  ].join(':'),
} as const satisfies ConnectionOptions

/** Options without host and port, for `connectAsAgent`. With `createConnection` they also suit http and ws clients. */
export type AgentDialOptions = ConnectionOptions & { createConnection: typeof connectAsAgent }

/** A wrong name is reported as ERR_TLS_CERT_ALTNAME_INVALID. */
export function dialOptions(trust: DialTrust): AgentDialOptions {
  const { name, ca, clientCertificate, partialChain = false, verify = true } = trust
  const common: AgentDialOptions = {
    ...goOffer,
    createConnection: connectAsAgent,
    // SNI does not allow IP addresses (RFC 6066 section 3); an empty string sends none.
    servername: isIP(name) ? '' : name,
    ...(clientCertificate && { cert: clientCertificate.cert, key: clientCertificate.key }),
  }
  if (!verify) return { ...common, ca: [], rejectUnauthorized: false }
  return {
    ...common,
    ...(ca !== undefined && { ca: typeof ca === 'string' ? ca : [...ca] }),
    rejectUnauthorized: true,
    allowPartialTrustChain: partialChain,
    checkServerIdentity: (_, certificate) => wrongName(certificate, name),
  }
}

/**
 * `tls.connect` that no certificate can crash. Node reads a verified chain with getPeerCertificate(), and Node 24
 * crashes there on a key whose curve has no NIST name (secp256k1, brainpool), even that of an intermediate.
 */
export function connectAsAgent(options: ConnectionOptions): TLSSocket {
  // An HTTP client passes the request's `path`; `tls.connect` would take it for a Unix socket.
  const socket = connect({ ...options, path: undefined })
  // Reading it removes the certificates above the leaf from the connection, so it is read only once.
  let peer: X509Certificate | undefined
  const read = socket.getPeerX509Certificate.bind(socket)
  const getPeerX509Certificate = () => (peer ??= read())
  const getPeerCertificate = () => ({ raw: getPeerX509Certificate()?.raw })
  return Object.assign(socket, { getPeerX509Certificate, getPeerCertificate }) as TLSSocket
}

/** Node's own check accepts names that Go or OpenSSL refuse, and the reverse. Never throws: Node would exit. */
function wrongName(certificate: PeerCertificate, name: string): Error | undefined {
  let names = 'no name'
  try {
    const leaf = new X509Certificate(certificate.raw)
    if (covers(leaf, name)) return undefined
    names = visible(leaf.subjectAltName?.slice(0, 1000) ?? names)
  } catch {
    names = 'names that cannot be read'
  }
  const error = new Error(`the certificate is for ${names}, not for ${name}`)
  return Object.assign(error, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}
