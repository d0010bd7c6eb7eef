// How an agent dials its master: a Go program's offer, trusting only what it was given.
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
  /** False: any certificate will do (`skip_verify`). */
  verify?: boolean
  /** Trust a chain that ends at an anchor which is not a root, as Go does and Python before 3.13 does not. */
  partialChain?: boolean
  /** PEM, for masters that ask for one. */
  clientCertificate?: { cert: string; key: string }
}

/**
 * What Go 1.22 to 1.24 offer (crypto/tls: cipher_suites.go, common.go, defaults.go). Node offers more by default, so
 * that a preflight would pass where agents fail: DHE, RSA key exchange, CBC with SHA-384, X448, Ed448.
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
    // RSA below 2048 bits is refused, as by Node 24; Node 22 would take it.
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

/** Options beside host and port, for `connectAsAgent` and, as they bring it along, for clients of http and ws. */
export type AgentDialOptions = ConnectionOptions & { createConnection: typeof connectAsAgent }

/** A wrong name is reported as ERR_TLS_CERT_ALTNAME_INVALID. */
export function dialOptions(trust: DialTrust): AgentDialOptions {
  const { name, ca, clientCertificate, partialChain = false, verify = true } = trust
  const common: AgentDialOptions = {
    ...goOffer,
    createConnection: connectAsAgent,
    // An IP address is no SNI (RFC 6066 section 3); an empty text sends none.
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
 * `tls.connect` that survives every certificate. Node looks into a verified chain by getPeerCertificate(), and Node 24
 * crashes there on a key whose curve has no NIST name (secp256k1, brainpool), be it an intermediate's.
 */
export function connectAsAgent(options: ConnectionOptions): TLSSocket {
  // An HTTP client's `path` is the request's; here it would be that of a Unix socket.
  const socket = connect({ ...options, path: undefined })
  // Reading it takes the certificates above the leaf out of the connection, so it is read once.
  let peer: X509Certificate | undefined
  const read = socket.getPeerX509Certificate.bind(socket)
  const getPeerX509Certificate = () => (peer ??= read())
  const getPeerCertificate = () => ({ raw: getPeerX509Certificate()?.raw })
  return Object.assign(socket, { getPeerX509Certificate, getPeerCertificate }) as TLSSocket
}

/** Node's own check takes names that Go or OpenSSL refuse; the reverse too. Never throws, or Node would end the process. */
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
