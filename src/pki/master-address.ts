// Where agents dial the master.

export type MasterScheme = 'http' | 'https'

export interface MasterAddress {
  scheme: MasterScheme
  /** A DNS name, an IP address (IPv6 without brackets), or an alias such as `local-ipv4`. */
  host: string
  port: number
}

/** Names that stand for an address the cloud's metadata server knows (origin: provconfig/config.go). */
export const hostAliases = {
  aws: ['local-ipv4', 'public-ipv4', 'local-hostname', 'public-hostname'],
  gcp: ['internal-ip', 'external-ip'],
} as const

export function isHostAlias(host: string): boolean {
  return [...hostAliases.aws, ...hostAliases.gcp].some((alias) => alias === host)
}

/** `https://[::1]:8443`: IPv6 hosts get their brackets back. */
export function masterUrl(address: MasterAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.scheme}://${host}:${address.port}`
}
