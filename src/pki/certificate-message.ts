// The size of the TLS message that carries a server's certificates, and which clients refuse it.

/** Go 1.22 reads no longer handshake message (crypto/tls, maxHandshake); later versions accept 256 KiB. */
const goLimit = 65_536
/** The limit of OpenSSL, and so of Python and Node (default of SSL_CTX_set_max_cert_list). */
const opensslLimit = 102_400

/** Bytes of the message in TLS 1.3 (RFC 8446 section 4.4.2), which is a few bytes longer for each certificate. */
function messageBytes(certificates: readonly { length: number }[]): number {
  return certificates.reduce((sum, { length }) => sum + length + 5, 4)
}

/** A sentence that names the clients which refuse the message; undefined when all accept it. */
export function oversize(certificates: readonly { length: number }[]): string | undefined {
  const bytes = messageBytes(certificates)
  if (bytes <= goLimit) return undefined
  const python = bytes > opensslLimit ? `, OpenSSL and Python at ${opensslLimit}` : ''
  return `${certificates.length} certificates make a TLS message of ${bytes} bytes; agents built with Go 1.22 stop at ${goLimit}${python}`
}
