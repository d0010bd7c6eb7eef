// The CAs of an agent without configured certificates, searched like in a Go program, so that the built-in agent joins the
// same masters as Determined's (Go's crypto/x509/root_unix.go and root_linux.go).
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { readPem } from '../../pki/index.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Read in addition to SSL_CERT_FILE, unless SSL_CERT_DIR is set. */
const goDirectories = ['/etc/ssl/certs', '/etc/pki/tls/certs']

/**
 * PEM strings; undefined: the CAs that Node ships with. With SSL_CERT_FILE: the certificates of that file, read again each
 * time, and of the CA directories; possibly none. Without it: the machine's CAs, or Node's own where Node cannot read those
 * (before 22.15) or there are none.
 */
export function wellKnownCas(env: Environment): string[] | undefined {
  const file = env['SSL_CERT_FILE']
  if (!file) {
    const machine = tls.getCACertificates?.('system') ?? []
    return machine.length > 0 ? machine : undefined
  }
  const directories = env['SSL_CERT_DIR']?.split(':') ?? goDirectories
  return [...new Set([...certificatesIn(file), ...directories.flatMap(certificatesBelow)])]
}

/** For messages: the source of the CAs that `wellKnownCas` returns. */
export function placeOfCas(env: Environment): string {
  return env['SSL_CERT_FILE'] || 'the well-known CAs'
}

function certificatesBelow(directory: string): string[] {
  try {
    return readdirSync(directory).flatMap((name) => certificatesIn(join(directory, name)))
  } catch {
    return []
  }
}

/** Empty for a missing file, or one without certificates, as in Go. */
function certificatesIn(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return []
  }
  return readPem(text).blocks.flatMap(({ label, fault, der }) =>
    label === 'CERTIFICATE' && !fault ? pemOf(der) : [],
  )
}

/** The same string for the same certificate; omits unreadable ones. */
function pemOf(der: Buffer): string[] {
  try {
    return [new X509Certificate(der).toString()]
  } catch {
    return []
  }
}
