// Which VMs are ours: those that carry our cluster tag and our pool tag. Nothing else decides.

/** Tag keys on EC2; on GCE the same words as label keys, with `-` for `:`. */
export const ownerTags = {
  cluster: 'agent-provisioner:cluster',
  pool: 'agent-provisioner:pool',
  writer: 'agent-provisioner:writer',
  intent: 'agent-provisioner:intent',
} as const

export interface Ownership {
  clusterId: string
  pool: string
  writerId: string
}

export function ownerTagsOf(owner: Ownership, intentId: string): Record<string, string> {
  return {
    [ownerTags.cluster]: owner.clusterId,
    [ownerTags.pool]: owner.pool,
    [ownerTags.writer]: owner.writerId,
    [ownerTags.intent]: intentId,
  }
}
