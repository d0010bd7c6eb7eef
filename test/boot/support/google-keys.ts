// The server of Google's public keys under its own name, for a provisioner that reaches it through a proxy. Its CA is
// trusted by this process until `close`.
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { connectProxy } from '../../support/connect-proxy.ts'
import {
  certificateOf,
  certificatesUrl,
  googleKey,
  keyId,
} from '../../support/join-proofs/identity-tokens.ts'
import { dns } from '../../support/x509-extensions.ts'
import { authority, server as serverCertificate } from '../../support/x509-profiles.ts'

export interface GoogleKeys {
  /** The proxy variables of the provisioner. */
  env: Record<string, string>
  /** `CONNECT host:port` at the proxy, then `GET url` at the server, in order. */
  asked: string[]
  close(): Promise<void>
}

export async function googleKeys(): Promise<GoogleKeys> {
  const { host, pathname } = new URL(certificatesUrl)
  const ca = authority('Public Root')
  const { pem, key } = serverCertificate(ca, { names: [dns(host)] })
  const requests: string[] = []
  const server = createServer({ cert: pem, key: key.pem }, ({ headers, method, url }, response) => {
    requests.push(`${method} https://${headers.host}${url}`)
    const isKeys = headers.host === host && url === pathname
    response.writeHead(isKeys ? 200 : 404, {
      'content-type': 'application/json',
      'cache-control': 'public, max-age=20000, must-revalidate',
    })
    response.end(JSON.stringify(isKeys ? { [keyId]: certificateOf(googleKey) } : {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy = await connectProxy({ leadsTo: () => port })
  const usual = getCACertificates('default')
  setDefaultCACertificates([...usual, ca.pem])
  return {
    env: { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' },
    get asked() {
      return [...proxy.asked, ...requests]
    },
    async close() {
      setDefaultCACertificates(usual)
      await proxy.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
