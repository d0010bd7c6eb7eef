// The metadata values of a VM: its startup script, the master it dials, and whose it is, each exactly as it is.
import type { MasterAddress } from '../../pki/master-address.ts'
import type { Ownership } from '../ownership.ts'
import type { MetadataItem } from './compute-types.ts'
import { ownerKeys } from './labels.ts'

export interface MetadataInput {
  master: MasterAddress
  owner: Ownership
  intentId: string
  startupScript: string
}

/** Items of `base_config` stay, except where a key is ours; `replaced` names those. */
export function metadataOf(
  input: MetadataInput,
  base: MetadataItem[],
): { items: MetadataItem[]; replaced: string[] } {
  const ours: Record<string, string> = {
    'startup-script': input.startupScript,
    'determined-master-address': hostAndPort(input.master),
    ...ownerKeys(input.owner, input.intentId),
  }
  const clashes = base.filter(({ key }) => key && key in ours)
  return {
    items: [
      ...base.filter((item) => !clashes.includes(item)),
      ...Object.entries(ours).map(([key, value]) => ({ key, value })),
    ],
    replaced: clashes.map(({ key }) => key ?? ''),
  }
}

function hostAndPort({ host, port }: MasterAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
