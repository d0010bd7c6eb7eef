// How the agent reaches its master: through the proxy of the environment, and with which trust.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Agent, Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import {
  connectAsAgent,
  decodeText,
  dialOptions,
  type MasterAddress,
  readCertificates,
  readPem,
} from '../../pki/index.ts'
import {
  type Environment,
  failing,
  type Logger,
  type Opened,
  openTunnel,
  proxyFor,
} from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { AgentOptions } from './options.ts'
import { wellKnownCas } from './well-known-cas.ts'

/** An HTTP agent for a connection to the master through its proxy; undefined: no proxy. Throws PROXY_INVALID. */
export function tunnelAgent(master: MasterAddress, env: Environment, timeoutMs: number): Agent | undefined {
  const proxy = proxyFor(master, env)
  if (!proxy) return undefined
  const secure = master.scheme === 'https'
  const createConnection = (options: ConnectionOptions, opened: Opened): undefined => {
    // A WebSocket needs a tunnel also without TLS.
    openTunnel(proxy, master, timeoutMs).then(
      (socket) => opened(null, secure ? connectAsAgent({ ...options, socket }) : socket),
      failing(opened),
    )
  }
  return Object.assign(secure ? new TlsAgent() : new PlainAgent(), { createConnection })
}

// The trust anchors of the agent: only the configured certificates, or else those of the machine.

/**
 * TLS options for one dial. Reads the files each time, so that the next dial uses a renewed certificate. Throws
 * `AGENT_FILE_UNREADABLE`.
 */
export function trustOf(
  options: AgentOptions,
  env: Environment,
  logger: Logger,
): ConnectionOptions | undefined {
  const { enabled, skipVerify, masterCert, masterCertName, clientCert, clientKey } = options.tls
  if (!enabled) return undefined
  return dialOptions({
    name: masterCertName || options.masterHost,
    verify: !skipVerify,
    ca: masterCert ? anchorsIn(masterCert, logger) : wellKnownCas(env),
    // Go accepts any certificate of the file as an anchor, also a leaf or an intermediate.
    partialChain: true,
    ...(clientCert && clientKey ? { clientCertificate: pairIn(clientCert, clientKey) } : {}),
  })
}

/** Checked here, because TLS libraries name neither file, and OpenSSL takes some pairs that fail in each handshake. */
function pairIn(certFile: string, keyFile: string): { cert: string; key: string } {
  const cert = read(certFile, 'client certificate')
  const key = read(keyFile, 'client key')
  const leaf = readCertificates(cert, certFile).certificates[0]
  if (!leaf) throw unusable(`client certificate ${certFile} contains no certificate`)
  if (!leaf.x509.checkPrivateKey(privateKeyIn(key, keyFile)))
    throw unusable(`client key ${keyFile} does not belong to the client certificate ${certFile}`)
  return { cert, key }
}

function privateKeyIn(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (cause) {
    throw unusable(`client key ${file} contains no private key without a passphrase`, cause)
  }
}

function unusable(message: string, cause?: unknown): ProvisionError {
  return new ProvisionError(problem('AGENT_FILE_UNREADABLE', message, { cause }))
}

function anchorsIn(file: string, logger: Logger): string[] {
  const anchors: string[] = []
  for (const block of readPem(read(file, 'master certificate')).blocks) {
    if (block.label !== 'CERTIFICATE') continue
    try {
      anchors.push(new X509Certificate(block.der).toString())
    } catch {
      const reason = block.fault ?? 'it is not an X.509 certificate'
      logger.warn('a certificate in the file is ignored', {
        file,
        number: block.number,
        line: block.line,
        reason,
      })
    }
  }
  if (anchors.length > 0) return anchors
  throw unusable(`master certificate ${file} contains no certificates`)
}

function read(file: string, what: string): string {
  try {
    return decodeText(readFileSync(file))
  } catch (cause) {
    throw unusable(`${what} cannot be read: ${(cause as Error).message}`, cause)
  }
}
