// The format of the certificate and key files.
import { createPrivateKey } from 'node:crypto'
import { testKey } from '../test-keys.ts'
import { pemOf } from '../x509.ts'
import { joined, made, rootless, type Shape, threeOf } from './shape.ts'

/** The same chain in another format; the server presents it correctly. */
function spelled(rewrite: (pem: string) => string) {
  return () => {
    const three = threeOf()
    return { ...made(three), cert: rewrite(joined(three)) }
  }
}

const commented = (pem: string) =>
  `# master's chain\nsubject=CN = Test\n\n${pem.replaceAll('-----BEGIN', '# next\n-----BEGIN')}\n`

function encryptedKey(): string {
  return testKey('p256', 'server')
    .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
    .toString()
}

/** SEC 1, with the separate EC PARAMETERS block that `openssl ecparam -genkey` puts before it. */
function oldStyleKey(): string {
  const parameters = pemOf(Buffer.from('06082a8648ce3d030107', 'hex'), 'EC PARAMETERS')
  return parameters + createPrivateKey(testKey('p256', 'server').pem).export({ type: 'sec1', format: 'pem' })
}

/** The pair cannot be served, so clients have no server to dial. */
function unserved(change: (files: { cert: string; key: string }) => { cert?: string; key?: string }) {
  return () => {
    const files = made(threeOf())
    return { ...files, ...change({ cert: files.cert, key: files.key! }), served: undefined }
  }
}

/** A Go master skips a broken block silently: it serves, and trusts, the others. */
function damaged(damage: (cert: string) => string) {
  return () => {
    const [leaf, intermediate, root] = threeOf()
    return { ...made([leaf, root]), cert: damage(joined([leaf, intermediate, root])) }
  }
}

export const fileShapes: Shape[] = [
  { name: 'CRLF and comments', make: spelled((pem) => commented(pem).replaceAll('\n', '\r\n')), codes: [] },
  { name: 'byte order mark', make: spelled((pem) => `\uFEFF${pem}`), codes: ['TLS_PEM_MENDED'] },
  {
    name: 'a comment with an umlaut',
    make: spelled((pem) => `# für den Master\n${pem}`),
    codes: ['TLS_PEM_MENDED'],
  },
  { name: 'CR line ends', make: spelled((pem) => pem.replaceAll('\n', '\r')), codes: ['TLS_PEM_MENDED'] },
  {
    name: 'X509 CERTIFICATE headers',
    make: spelled((pem) => pem.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE')),
    codes: ['TLS_PEM_MENDED'],
  },
  {
    name: 'TRUSTED CERTIFICATE blocks with trust settings',
    make: () => {
      const three = threeOf()
      // An empty auxiliary structure, as `openssl x509 -trustout` appends one.
      const cert = three.map(({ der }) =>
        pemOf(Buffer.concat([der, Buffer.from([0x30, 0])]), 'TRUSTED CERTIFICATE'),
      )
      return { ...made(three), cert: cert.join('') }
    },
    codes: ['TLS_PEM_MENDED'],
  },
  {
    name: 'blocks joined without a line end',
    make: spelled((pem) => pem.replace(/\n(?=-----BEGIN)/g, '')),
    codes: ['TLS_PEM_MENDED'],
  },
  {
    name: 'indented, as copied from a YAML file',
    make: spelled((pem) => pem.replace(/^/gm, '    ')),
    codes: ['TLS_PEM_MENDED'],
  },
  {
    name: 'base64 on one line',
    make: spelled((pem) =>
      pem.replace(
        /(-----BEGIN[^\n]*\n)([^-]+)\n/g,
        (_, begin, body) => `${begin}${body.replaceAll('\n', '')}\n`,
      ),
    ),
    codes: [],
  },
  {
    name: 'private key in the certificate file',
    make: () => {
      const files = made(threeOf())
      return { ...files, cert: files.key! + files.cert }
    },
    codes: ['TLS_KEY_IN_CERT_FILE'],
  },
  { name: 'key with EC PARAMETERS', make: () => ({ ...made(threeOf()), key: oldStyleKey() }), codes: [] },
  {
    name: 'several keys, the first one fits',
    make: () => {
      const files = made(threeOf())
      return { ...files, key: files.key + testKey('p256', 'another').pem }
    },
    codes: ['TLS_KEY_SEVERAL'],
  },
  {
    name: 'several keys, the second one fits',
    make: unserved(({ key }) => ({ key: testKey('p256', 'another').pem + key })),
    codes: ['TLS_KEY_SEVERAL', 'TLS_KEY_MISMATCH'],
  },
  {
    name: 'key of another certificate',
    make: unserved(() => ({ key: testKey('p256', 'another').pem })),
    codes: ['TLS_KEY_MISMATCH'],
  },
  {
    name: 'key of another type',
    make: unserved(() => ({ key: testKey('rsa2048', 'another').pem })),
    codes: ['TLS_KEY_MISMATCH'],
  },
  { name: 'encrypted key', make: unserved(() => ({ key: encryptedKey() })), codes: ['TLS_KEY_ENCRYPTED'] },
  {
    name: 'encrypted key of the old form',
    make: unserved(({ key }) => ({
      key: key.replace(/-----\n/, '-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n'),
    })),
    codes: ['TLS_KEY_ENCRYPTED'],
  },
  {
    name: 'certificate in place of the key',
    make: unserved(({ cert }) => ({ key: cert })),
    codes: ['TLS_KEY_UNREADABLE'],
  },
  {
    name: 'key in place of the certificate',
    make: unserved(({ key }) => ({ cert: key })),
    codes: ['TLS_NO_CERTIFICATE'],
  },
  { name: 'empty file', make: unserved(() => ({ cert: '\n' })), codes: ['TLS_FILE_NOT_PEM'] },
  {
    name: 'second block is truncated',
    make: damaged((cert) =>
      cert.replace(/(END CERTIFICATE-----\n[\s\S]{200})[\s\S]*?(-----BEGIN)/, '$1\n$2'),
    ),
    codes: ['TLS_PEM_BROKEN'],
    clients: rootless,
  },
  {
    name: 'second block is not base64',
    make: damaged((cert) => cert.replace(/(END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n)./, '$1*')),
    codes: ['TLS_PEM_BROKEN'],
    clients: rootless,
  },
]
