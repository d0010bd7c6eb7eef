// The private key. Read only to serve with it, or to find the server's certificate. No part of it is ever printed.
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { type Problem, problem } from '../problems/index.ts'
import type { Certificate } from './certificate.ts'
import { mendedProblems } from './chain.ts'
import { notPem } from './file-kind.ts'
import { type PemBlock, readPem } from './pem.ts'

export interface KeyFile {
  /** The first key of the file, which servers use. */
  key?: KeyObject
  /** Other readable keys of the file. */
  others: KeyObject[]
  problems: Problem[]
}

/** `file` is only for messages. */
export function readKey(text: string, file: string): KeyFile {
  const { blocks, untidy } = readPem(text)
  if (blocks.length === 0) return failed(notPem(text, file, 'key'))
  const keyBlocks = blocks.filter((block) => block.label.endsWith('PRIVATE KEY'))
  const [first, ...rest] = keyBlocks
  if (!first) {
    const labels = [...new Set(blocks.map((block) => block.label))].join(', ')
    return failed(unreadable(file, `it contains no private key, only: ${labels}`))
  }
  const refusal = refusalOf(first, file)
  if (refusal) return failed(refusal)
  const key = parseKey(first)
  if (!key) return failed(unreadable(file, `block ${first.number} is not a key that OpenSSL can read`, first))
  const problems = mendedProblems(untidy, [first], file)
  if (rest.length > 0)
    problems.push(
      problem('TLS_KEY_SEVERAL', `${file} contains ${keyBlocks.length} private keys; the first one is used`, {
        where: { file, line: rest[0]!.line },
      }),
    )
  const others = rest.flatMap((block) => (refusalOf(block, file) ? [] : (parseKey(block) ?? [])))
  return { key, others, problems }
}

/** Whether the key belongs to the certificate. */
export function fits(key: KeyObject, certificate: Certificate): boolean {
  try {
    return certificate.x509.checkPrivateKey(key)
  } catch {
    return false
  }
}

/**
 * The problem when `key` does not fit `leaf`, the certificate the server would present. `owner` is the certificate of the
 * file to which it belongs.
 */
export function mismatch(
  keyFile: KeyFile & { key: KeyObject },
  leaf: Certificate,
  file: string,
  owner?: Certificate,
): Problem {
  const second = keyFile.others.some((other) => fits(other, leaf))
  const types = [keyFile.key.asymmetricKeyType, typeOf(leaf)]
  const why = owner
    ? `: it is the key of ${owner.subject}`
    : second
      ? '; a later key of the file does, but servers use the first'
      : types[0] === types[1]
        ? ''
        : `: the key is ${types[0]}, the certificate's ${types[1]}`
  return problem('TLS_KEY_MISMATCH', `the key in ${file} does not belong to ${leaf.subject}${why}`, {
    where: { file },
    details: { subject: leaf.subject, sha256: leaf.sha256 },
  })
}

function typeOf(certificate: Certificate): string | undefined {
  try {
    return certificate.x509.publicKey.asymmetricKeyType
  } catch {
    return undefined
  }
}

function refusalOf(block: PemBlock, file: string): Problem | undefined {
  if (block.fault) return unreadable(file, `block ${block.number} is not usable: ${block.fault}`, block)
  // PKCS#8 marks encryption in its label, the older forms in a header (RFC 1421 section 4.6.1.1).
  if (block.label.startsWith('ENCRYPTED') || block.headers.some((header) => header.includes('ENCRYPTED')))
    return problem('TLS_KEY_ENCRYPTED', `the key in ${file} is encrypted with a passphrase`, {
      where: { file, line: block.line },
    })
  if (block.label === 'OPENSSH PRIVATE KEY')
    return unreadable(file, "it is a key in OpenSSH's own format, made for ssh", block)
  return undefined
}

function parseKey(block: PemBlock): KeyObject | undefined {
  const body = block.der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  try {
    return createPrivateKey(`-----BEGIN ${block.label}-----\n${body}\n-----END ${block.label}-----\n`)
  } catch {
    return undefined
  }
}

function unreadable(file: string, why: string, block?: PemBlock): Problem {
  return problem('TLS_KEY_UNREADABLE', `no private key can be read from ${file}: ${why}`, {
    where: { file, ...(block && { line: block.line }) },
  })
}

function failed(found: Problem): KeyFile {
  return { others: [], problems: [found] }
}
