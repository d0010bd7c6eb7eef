// Parameters of an RSA-PSS signature (RFC 4055 section 3.1).
import { type Der, derChildren, derOid, derSequence, derSmallInteger } from './der.ts'

export interface PssParameters {
  /** OIDs of the hash of the message and of the one inside MGF1. */
  hash: string
  mgfHash: string
  /** Bytes. */
  saltLength: number
}

const sha1 = '1.3.14.3.2.26'

/** What is left out has its default: SHA-1, MGF1 with SHA-1, 20 bytes of salt. Throws DerError. */
export function readPss(parameters: Der | undefined): PssParameters {
  const parts = parameters ? derSequence(parameters) : []
  const inner = (tag: number) => {
    const part = parts.find((candidate) => candidate.tag === tag)
    return part && derChildren(part.content)[0]
  }
  const hash = inner(0xa0)
  const mask = inner(0xa1)
  const salt = inner(0xa2)
  return {
    hash: hash ? derOid(derSequence(hash)[0]) : sha1,
    mgfHash: mask ? derOid(derSequence(derSequence(mask)[1])[0]) : sha1,
    saltLength: salt ? derSmallInteger(salt) : 20,
  }
}
