// Which names in the tags of instances are this provisioner's own.

/**
 * Names of this provisioner in the tags of instances, those of earlier starts too: we may change instances that carry one.
 * A Set of them is enough.
 */
export interface OwnWriters {
  has(writer: string): boolean
  /**
   * It is a process that uses the same state, and whose launches that state may have lost: never a copy of the state, which
   * runs elsewhere.
   */
  shares?(writer: string): boolean
}

/**
 * With a database that all processes of this provisioner use, each name that begins with its id belongs to one of them,
 * also one that the database has lost.
 */
export function writersOf(
  provisionerId: string,
  writers: readonly string[],
  { isShared }: { isShared: boolean },
): OwnWriters {
  const known = new Set([provisionerId, ...writers])
  if (!isShared) return known
  const isOurs = (writer: string) => known.has(writer) || writer.startsWith(`${provisionerId}-`)
  return { has: isOurs, shares: isOurs }
}

/** With further names, whose instances a person has adopted. */
export function withAdopted(own: OwnWriters, adopted: ReadonlySet<string> = new Set()): OwnWriters {
  return {
    has: (writer) => own.has(writer) || adopted.has(writer),
    shares: (writer) => own.shares?.(writer) === true,
  }
}
