// Whether an answer to GET /info is that of a master (origin: master/pkg/aproto/master_message.go, MasterInfo).
import type { HttpAnswer } from './preflight-dial.ts'

export interface MasterInfo {
  version: string
  clusterId: string
  /** Set by masters of ours; Determined's have none. */
  product?: string
}

/** It is shown, and nobody vouches for a master that is dialled in plain text. */
const printable = /^[\x21-\x7e]{1,100}$/

/** Undefined when it is not. */
export function readInfo({ status, body }: HttpAnswer): MasterInfo | undefined {
  if (status !== 200) return undefined
  try {
    const { version, cluster_id: clusterId, product } = JSON.parse(body)
    if (typeof version !== 'string' || !printable.test(version) || typeof clusterId !== 'string')
      return undefined
    return { version, clusterId, ...(typeof product === 'string' && { product }) }
  } catch {
    return undefined
  }
}
