// One file of everything a task may trust: the CAs of the machine, and its master's. OpenSSL's SSL_CERT_FILE replaces
// the machine's list instead of adding to it, so without this a task could reach its master and nobody else.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { writeFileAtomic } from '../../platform/files.ts'

/** Writes it once for each master certificate; tells where it is. */
export function caBundle(masterCertificate: string, folder: string): string {
  const own = readFileSync(masterCertificate, 'utf8')
  const name = createHash('sha256').update(own).digest('hex').slice(0, 16)
  const file = join(folder, `.ca-bundle-${name}.crt`)
  if (existsSync(file)) return file
  const machine = tls.getCACertificates?.('system') ?? []
  const others = machine.length > 0 ? machine : tls.rootCertificates
  writeFileAtomic(file, [own.trim(), ...others.map((pem) => pem.trim()), ''].join('\n'), 0o644)
  return file
}
