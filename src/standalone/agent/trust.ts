// What the agent verifies its master with: only the certificates it was given, else the machine's own.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'
import { dialOptions } from '../../pki/dial-options.ts'
import { decodeText, readPem } from '../../pki/pem.ts'
import type { Logger } from '../../platform/ports.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { AgentOptions } from './options.ts'

/**
 * For one dial; files are read anew each time, so that a renewed certificate counts at the next one. Throws
 * `AGENT_FILE_UNREADABLE`.
 */
export function trustOf(options: AgentOptions, logger: Logger): tls.ConnectionOptions | undefined {
  const { enabled, skipVerify, masterCert, masterCertName, clientCert, clientKey } = options.tls
  if (!enabled) return undefined
  return dialOptions({
    name: masterCertName || options.masterHost,
    verify: !skipVerify,
    ca: masterCert ? anchorsIn(masterCert, logger) : wellKnown(),
    // Go takes any certificate of the file for an anchor, a leaf or an intermediate too.
    partialChain: true,
    ...(clientCert && clientKey
      ? {
          clientCertificate: {
            cert: read(clientCert, 'client certificate'),
            key: read(clientKey, 'client key'),
          },
        }
      : {}),
  })
}

function anchorsIn(file: string, logger: Logger): string[] {
  const anchors: string[] = []
  for (const block of readPem(read(file, 'master certificate')).blocks) {
    if (block.label !== 'CERTIFICATE') continue
    try {
      anchors.push(new X509Certificate(block.der).toString())
    } catch {
      const reason = block.fault ?? 'it is no X.509 certificate'
      logger.warn('a certificate of the file is left out', {
        file,
        number: block.number,
        line: block.line,
        reason,
      })
    }
  }
  if (anchors.length > 0) return anchors
  throw new ProvisionError(
    problem('AGENT_FILE_UNREADABLE', `master certificate ${file} contains no certificates`),
  )
}

function read(file: string, what: string): string {
  try {
    return decodeText(readFileSync(file))
  } catch (cause) {
    const message = `${what} cannot be read: ${(cause as Error).message}`
    throw new ProvisionError(problem('AGENT_FILE_UNREADABLE', message, { cause }))
  }
}

/** The machine's, as Go takes them; Node's own list where it cannot read those (before 22.15) or there are none. */
function wellKnown(): string[] | undefined {
  const machine = tls.getCACertificates?.('system') ?? []
  return machine.length > 0 ? machine : undefined
}
