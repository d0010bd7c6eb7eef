// The TLS message a server sends its certificates in: how large it is, and which clients stop reading at which size.

/** Go 1.22 reads no handshake message longer than this (crypto/tls, maxHandshake); later ones take 256 KiB. */
const goLimit = 65_536
/** OpenSSL, and with it Python and Node (SSL_CTX_set_max_cert_list, its default). */
const opensslLimit = 102_400

/** Bytes of the message in TLS 1.3 (RFC 8446 section 4.4.2), which is the longer form: a few bytes for each certificate. */
function messageBytes(certificates: readonly { length: number }[]): number {
  return certificates.reduce((sum, { length }) => sum + length + 5, 4)
}

/** Which clients would not read it; undefined when all would. */
export function oversize(certificates: readonly { length: number }[]): string | undefined {
  const bytes = messageBytes(certificates)
  if (bytes <= goLimit) return undefined
  const python = bytes > opensslLimit ? `, OpenSSL and Python at ${opensslLimit}` : ''
  return `${certificates.length} certificates make a TLS message of ${bytes} bytes; agents built with Go 1.22 stop at ${goLimit}${python}`
}
