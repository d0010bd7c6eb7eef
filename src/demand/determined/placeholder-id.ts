// The id of the agent that stands in for VMs that do not run. It is no capacity, so demand never shows it.

const prefix = 'provisioner-placeholder-'

export function placeholderId(pool: string): string {
  return `${prefix}${pool}`
}

export function isPlaceholder(agentId: string): boolean {
  return agentId.startsWith(prefix)
}
