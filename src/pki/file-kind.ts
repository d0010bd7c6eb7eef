// What a certificate or key file without PEM blocks is, and the command that makes PEM of it.
import { createPrivateKey } from 'node:crypto'
import { type Problem, problem } from '../problems/index.ts'
import { readX509 } from './certificate.ts'
import { type Der, DerError, derChildren, derOid, derSequence, derTag, readDer } from './der.ts'
import type { PemBlock } from './pem.ts'

/** What the setting that names the file needs from it. */
export type Wanted = 'certificate' | 'key'

interface Kind {
  /** Continues `FILE …`. */
  what: string
  remedy: string
}

/** The problem with a text in which no PEM block was found. `file` is only for messages. */
export function notPem(text: string, file: string, wanted: Wanted = 'certificate'): Problem {
  const { what, remedy } = kindOf(text, file, wanted)
  return problem('TLS_FILE_NOT_PEM', `${file} ${what}`, { where: { file }, remedy })
}

/** The problem with a file whose PEM blocks are of other kinds than a certificate. */
export function noCertificate(blocks: PemBlock[], file: string): Problem {
  const labels = [...new Set(blocks.map((block) => block.label))]
  const remedy = labels.map((label) => labelRemedy(label, file)).find((found) => found !== undefined)
  return problem('TLS_NO_CERTIFICATE', `${file} contains no certificate, only: ${labels.join(', ')}`, {
    where: { file, line: blocks[0]!.line },
    ...(remedy && { remedy }),
  })
}

function labelRemedy(label: string, file: string): string | undefined {
  if (label === 'PKCS7' || label === 'CMS')
    return `Take the certificates out of it: \`openssl pkcs7 -in ${file} -print_certs -out ${file}.pem\`.`
  if (label.endsWith('CERTIFICATE REQUEST'))
    return 'A request (CSR) is no certificate: send it to a CA, and use the certificate chain it returns.'
  if (label === 'X509 CRL')
    return 'A revocation list is no certificate: name the file with the certificate chain.'
  return undefined
}

function kindOf(text: string, file: string, wanted: Wanted): Kind {
  if (text.trim() === '')
    return { what: 'is empty', remedy: 'Write the file again; check whether the disk was full.' }
  const wide = /^(?:[^\0]\0){4}/.test(text)
    ? 'UTF-16LE'
    : /^(?:\0[^\0]){4}/.test(text)
      ? 'UTF-16BE'
      : undefined
  if (wide)
    return {
      what: `is text in ${wide} without a byte order mark`,
      remedy: `Write it in UTF-8: \`iconv -f ${wide} -t UTF-8 ${file} > ${file}.pem\`.`,
    }
  return isBinary(text) ? binaryKind(Buffer.from(text, 'latin1'), file, wanted) : textKind(text, file, wanted)
}

/** Control characters that no text has. */
function isBinary(text: string): boolean {
  return /[\x00-\x08\x0e-\x1a]/.test(text.slice(0, 200))
}

const textKinds: [RegExp, (file: string) => Kind][] = [
  [
    /^\s*<(?:!doctype|html|head|body|\?xml)/i,
    (file) => ({
      what: 'is an HTML or XML page, not a certificate',
      remedy: `Download the file itself, such as with \`curl --fail --location --output ${file} URL\`; a page often means that a login is needed.`,
    }),
  ],
  [
    /^\s*(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) AAAA/,
    () => ({
      what: 'is a public key for SSH, not for TLS',
      remedy:
        'Name the file with the TLS certificate chain or its key; `provision certs --name HOST` creates a pair.',
    }),
  ],
  [
    /[-\u2010-\u2015\u2212]\s?(?:BEGIN|END) [A-Z0-9 ]+[-\u2010-\u2015\u2212]/,
    (file) => ({
      what: 'has BEGIN and END lines that do not have exactly five hyphens on both sides',
      remedy: `Copy it again, or mend it: \`perl -CSD -pe 's/^\\W*(BEGIN|END) ([A-Z0-9 ]*[A-Z0-9])\\W*$/-----$1 $2-----\\n/' ${file} > ${file}.pem\`.`,
    }),
  ],
]

function textKind(text: string, file: string, wanted: Wanted): Kind {
  const known = textKinds.find(([pattern]) => pattern.test(text.slice(0, 100_000)))
  if (known) return known[1](file)
  const bare = text.replace(/\s+/g, '')
  // A Kubernetes secret has its values in this form.
  if (bare.startsWith('LS0tLS1CRUdJTi'))
    return {
      what: 'is a PEM file encoded again in base64',
      remedy: `Decode it: \`base64 -d ${file} > ${file}.pem\`.`,
    }
  if (/^[A-Za-z0-9+/]{40,}={0,2}$/.test(bare)) {
    const inner = binaryKind(Buffer.from(bare, 'base64'), `${file}.der`, wanted)
    return {
      what: `is base64 without BEGIN and END lines; decoded, it ${inner.what}`,
      remedy: `First \`base64 -d ${file} > ${file}.der\`. ${inner.remedy}`,
    }
  }
  if (/^\s*[{[]/.test(text))
    return {
      what: 'is JSON or a similar format without a PEM block',
      remedy: `Write the value itself into a file: \`jq -r '.KEY' ${file} > ${file}.pem\`.`,
    }
  return {
    what: 'contains no PEM block (-----BEGIN …)',
    remedy: `Name the file with the ${wanted === 'key' ? 'private key' : 'certificate chain'} in PEM.`,
  }
}

function binaryKind(bytes: Buffer, file: string, wanted: Wanted): Kind {
  const out = `-out ${file}.pem`
  if (bytes.length >= 4 && bytes.readUInt32BE(0) === 0xfeedfeed)
    return {
      what: 'is a Java keystore (JKS), not PEM',
      remedy: `Convert it: \`keytool -importkeystore -srckeystore ${file} -destkeystore ${file}.p12 -deststoretype PKCS12\`, then \`openssl pkcs12 -in ${file}.p12 ${pkcs12Part(wanted)} -out ${file}.pem\`.`,
    }
  const kind = derKind(bytes)
  const keyCommand = `\`openssl pkey -inform DER -in ${file} ${out}\``
  const certificateCommand = `\`openssl x509 -inform DER -in ${file} ${out}\``
  switch (kind) {
    case 'certificate':
      return wanted === 'certificate'
        ? { what: 'is a certificate in DER, not PEM', remedy: `Convert it: ${certificateCommand}.` }
        : {
            what: 'is a certificate in DER, not a private key',
            remedy: 'Name the file with the private key.',
          }
    case 'key':
      return wanted === 'key'
        ? { what: 'is a private key in DER, not PEM', remedy: `Convert it: ${keyCommand}.` }
        : {
            what: 'is a private key in DER, not a certificate',
            remedy: `Name the file with the certificate chain; the key is converted by ${keyCommand}.`,
          }
    case 'encrypted key':
      return {
        what: `is an encrypted private key in DER, not ${wanted === 'key' ? 'PEM' : 'a certificate'}`,
        remedy: `Decrypt it: \`openssl pkcs8 -inform DER -in ${file} ${out}\`; protect the file with mode 0600.`,
      }
    case 'pkcs12':
      return {
        what: 'is a PKCS#12 keystore (.p12, .pfx), not PEM',
        remedy: `Take out what is needed here: \`openssl pkcs12 -in ${file} ${pkcs12Part(wanted)} ${out}\` (with \`-legacy\` if it is old).`,
      }
    case 'pkcs7':
      return {
        what: 'is a PKCS#7 bundle (.p7b) in DER, not PEM',
        remedy: `Take out the certificates: \`openssl pkcs7 -inform DER -in ${file} -print_certs ${out}\`.`,
      }
    case 'request':
      return {
        what: 'is a certificate request (CSR) in DER, not a certificate',
        remedy: 'Send the request to a CA, and use the certificate chain it returns.',
      }
    default:
      return {
        what: 'is binary, not PEM, and of no kind that is known here',
        remedy: `Name the file with the ${wanted === 'key' ? 'private key' : 'certificate chain'}; \`file ${file}\` tells what this one is.`,
      }
  }
}

function pkcs12Part(wanted: Wanted): string {
  return wanted === 'key' ? '-nocerts -nodes' : '-nokeys'
}

type DerKind = 'certificate' | 'key' | 'encrypted key' | 'pkcs12' | 'pkcs7' | 'request'

function derKind(bytes: Buffer): DerKind | undefined {
  try {
    const [first, second, third] = derSequence(readDer(bytes))
    // RFC 7292 section 4: version 3 and a ContentInfo; RFC 2315 section 7: a ContentInfo.
    if (oidOf(first) === '1.2.840.113549.1.7.2') return 'pkcs7'
    if (first?.tag === derTag.integer && oidOf(childOf(second))?.startsWith('1.2.840.113549.1.7.'))
      return 'pkcs12'
    if (isKey(bytes)) return 'key'
    // RFC 5958 section 3: an algorithm and the encrypted bytes.
    if (second?.tag === derTag.octetString && oidOf(childOf(first))) return 'encrypted key'
    if ('x509' in readX509(readDer(bytes).bytes)) return 'certificate'
    // RFC 2986 section 4.2: a version, a name and a key, with an algorithm and a signature.
    if (childOf(first)?.tag === derTag.integer && third?.tag === derTag.bitString) return 'request'
    return undefined
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    return undefined
  }
}

function childOf(element: Der | undefined): Der | undefined {
  return element?.tag === derTag.sequence ? derChildren(element.content)[0] : undefined
}

function oidOf(element: Der | undefined): string | undefined {
  return element?.tag === derTag.oid ? derOid(element) : undefined
}

function isKey(key: Buffer): boolean {
  return (['pkcs8', 'pkcs1', 'sec1'] as const).some((type) => {
    try {
      createPrivateKey({ key, format: 'der', type })
      return true
    } catch {
      return false
    }
  })
}
