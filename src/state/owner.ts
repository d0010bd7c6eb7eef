// Owners of journals, compared and described.
import type { JournalOwner } from './store.ts'

export function isSameOwner(one: JournalOwner, other: JournalOwner): boolean {
  return one.cluster === other.cluster && one.pool === other.pool && one.writer === other.writer
}

export function describeOwner({ cluster, pool, writer }: JournalOwner): string {
  return `cluster ${cluster}${pool === undefined ? '' : `, pool ${pool}`}, provisioner ${writer}`
}
