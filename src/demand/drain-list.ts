// The agents a master behind HTTP is to give no more work, as one list with a version. The master says with each push
// which version it had applied: only then do we know that what it shows was true after it had heard of the drain.

export interface DrainOrders {
  /** Agents that are to get no more work; all others may have some. */
  drain: string[]
  /** Opaque; to be sent with the first push that was put together after the list was applied, and all after it. */
  drainVersion: string
}

export interface DrainList {
  drain(agentId: string): boolean
  undrain(agentId: string): boolean
  orders(isOfPool: (agentId: string) => boolean): DrainOrders
  /** True when a master that had applied `version` had heard of the drain that is in force. */
  isApplied(agentId: string, version: string | undefined): boolean
  /** The agent is gone. */
  forget(agentId: string): void
  ids(): string[]
}

/** @param life differs from one start of the program to the next: versions of an earlier one tell nothing */
export function createDrainList(life: string): DrainList {
  const since = new Map<string, number>()
  let version = 0

  return {
    drain(agentId) {
      if (!since.has(agentId)) since.set(agentId, ++version)
      return true
    },
    undrain(agentId) {
      if (since.delete(agentId)) version++
      return true
    },
    orders: (isOfPool) => ({
      drain: [...since.keys()].filter(isOfPool).sort(),
      drainVersion: `${life}.${version}`,
    }),
    isApplied(agentId, applied) {
      const [ofLife, digits] = applied?.split('.') ?? []
      const asked = since.get(agentId)
      return asked !== undefined && ofLife === life && Number(digits) >= asked
    },
    forget: (agentId) => void since.delete(agentId),
    ids: () => [...since.keys()],
  }
}
