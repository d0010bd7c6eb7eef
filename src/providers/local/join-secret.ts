// The proof `local-secret`: a secret made for one instance, which only the process that was started with it knows. Its hash is in
// the record of the instance, so that a provisioner that was restarted can verify it.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ProvisionError } from '../../problems/index.ts'
import {
  invalid,
  type JoinProofContext,
  type JoinProofVerifier,
  other,
  proofFields,
  unchecked,
} from '../join-proof.ts'
import {
  type InstanceRecord,
  isOwnedBy,
  openPoolFolder,
  type PoolFolder,
  readRecord,
} from './instance-record.ts'
import { localFailure } from './instances.ts'
import { isInstanceId } from './request.ts'

const kind = 'local-secret'

/** 256 bits. */
const patterns = { secret: /^[\w-]{43}$/ }

export interface JoinSecret {
  value: string
  /** SHA-256 in hexadecimal. */
  hash: string
}

export function makeJoinSecret(): JoinSecret {
  const value = randomBytes(32).toString('base64url')
  return { value, hash: hashOf(value).toString('hex') }
}

/** Of the text, so that base64url has no second form. */
function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/**
 * Accepts the secret as often as it is sent by its instance, because an answer may be lost; which key it gets a certificate for is
 * not decided here.
 */
export function joinSecretVerifier({ owner, stateDir }: JoinProofContext): JoinProofVerifier {
  function isOf(secret: string, record: InstanceRecord | undefined): boolean {
    if (record?.joinSecretHash === undefined || record.ended || !isOwnedBy(record, owner)) return false
    const known = Buffer.from(record.joinSecretHash, 'hex')
    const sent = hashOf(secret)
    return known.length === sent.length && timingSafeEqual(known, sent)
  }

  function recordOf(folder: PoolFolder, id: string): InstanceRecord | undefined {
    return folder.exists(id) ? readRecord(folder.root(id)) : undefined
  }

  return {
    kind,
    async verify({ proof, instance: { id } }) {
      const { secret } = proofFields(proof, kind, patterns)
      if (!isInstanceId(id)) throw invalid(kind, 'there is no such instance')
      try {
        const folder = openPoolFolder(stateDir)
        if (isOf(secret, recordOf(folder, id))) return
        const its = folder.ids().find((one) => one !== id && isOf(secret, recordOf(folder, one)))
        if (its !== undefined) throw other(kind, `the secret is that of instance ${its}, not of ${id}`)
      } catch (error) {
        if (error instanceof ProvisionError && error.code === 'JOIN_PROOF_OTHER') throw error
        const { message } = localFailure(error, `read the record of local instance ${id}`).problem
        throw unchecked(kind, message, { cause: error })
      }
      throw invalid(kind, `the secret is not that of instance ${id}`)
    },
  }
}
