// The CAs of an agent that was given no certificates of its own: as a Go program finds them, so that an agent of ours joins
// where Determined's does (Go's crypto/x509/root_unix.go and root_linux.go).
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { readPem } from '../../pki/index.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Read whatever SSL_CERT_FILE names: only SSL_CERT_DIR takes their place. */
const goDirectories = ['/etc/ssl/certs', '/etc/pki/tls/certs']

/**
 * PEM texts; undefined: those Node ships with. With SSL_CERT_FILE the certificates of that file, read anew each time, and of
 * the directories of CAs; they may be none. Without it the machine's, and Node's own where it cannot read those (before
 * 22.15) or there are none.
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

/** For messages: where the CAs are that `wellKnownCas` gives. */
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

/** A file that is not there or holds something else has none, as for Go. */
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

/** The same text for the same certificate; one that cannot be read is left out. */
function pemOf(der: Buffer): string[] {
  try {
    return [new X509Certificate(der).toString()]
  } catch {
    return []
  }
}
