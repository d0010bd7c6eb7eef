// A task written in Node that knows only the certificate file and the name.
import { isIP } from 'node:net'
import { checkServerIdentity, connect } from 'node:tls'
import type { Verdict } from './shape.ts'

export interface ClientTrust {
  anchorsPem: string
  /** Undefined: the dialled address is verified. */
  certificateName?: string
}

/** Dials 127.0.0.1 and waits for an answer to a request. Throws a failure that is no verdict. */
export function dialWithNode(port: number, { anchorsPem, certificateName }: ClientTrust): Promise<Verdict> {
  const name = certificateName ?? '127.0.0.1'
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: anchorsPem,
      servername: isIP(name) ? '' : name,
      minVersion: 'TLSv1.2',
      // The default since Node 24; Node 22 is less strict.
      ciphers: 'DEFAULT@SECLEVEL=2',
      checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    })
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer from port ${port}`)))
    socket.once('secureConnect', () => socket.write('GET / HTTP/1.1\r\n\r\n'))
    socket.once('data', () => {
      socket.destroy()
      resolve('ok')
    })
    socket.once('error', (error) => {
      const verdict = verdictOf(error)
      if (verdict) resolve(verdict)
      else reject(error)
    })
  })
}

const byCode: Record<string, Verdict> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not_yet_valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'untrusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name',
  INVALID_PURPOSE: 'purpose',
  INVALID_CA: 'ca',
  PATH_LENGTH_EXCEEDED: 'ca',
}

/** For codes without a name in Node. */
const byMessage: [RegExp, Verdict][] = [
  [/too weak|too small/, 'weak'],
  [/unhandled critical extension/, 'critical'],
  [/subtree violation/, 'constraint'],
  [/format error in certificate/, 'unreadable'],
  [/key usage does not include certificate signing/, 'ca'],
]

function verdictOf(error: Error): Verdict | undefined {
  const code = 'code' in error ? String(error.code) : ''
  if (/HANDSHAKE_FAILURE$/.test(code)) return 'handshake'
  return byCode[code] ?? byMessage.find(([pattern]) => pattern.test(error.message))?.[1]
}
