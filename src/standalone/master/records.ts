// What a master writes down: each record is the whole of one agent or one piece of work, so that the last one counts.
import type { JournalRecord } from '../../platform/ports.ts'
import type { Agent } from './agent.ts'
import type { Allocation } from './allocation.ts'

/** Changes with the shape of the records: an older file is then set aside, not misread. */
export const journalKind = 'master state 1'

export type StateRecord =
  | { at: number; kind: 'agent'; agent: Agent }
  | { at: number; kind: 'agent_removed'; id: string }
  | { at: number; kind: 'allocation'; allocation: Allocation }
  | { at: number; kind: 'allocation_forgotten'; id: string }

export interface MasterState {
  /** By id. */
  agents: Map<string, Agent>
  allocations: Map<string, Allocation>
}

export function emptyState(): MasterState {
  return { agents: new Map(), allocations: new Map() }
}

/** Kinds of a newer version of the same format are passed over. */
export function apply(state: MasterState, record: StateRecord): void {
  if (record.kind === 'agent') state.agents.set(record.agent.id, record.agent)
  else if (record.kind === 'agent_removed') state.agents.delete(record.id)
  else if (record.kind === 'allocation') state.allocations.set(record.allocation.id, record.allocation)
  else if (record.kind === 'allocation_forgotten') state.allocations.delete(record.id)
}

export function replay(records: JournalRecord[]): MasterState {
  const state = emptyState()
  for (const record of records) apply(state, record as StateRecord)
  return state
}

export function snapshot(state: MasterState, at: number): StateRecord[] {
  return [
    ...[...state.agents.values()].map((agent) => ({ at, kind: 'agent' as const, agent })),
    ...[...state.allocations.values()].map((allocation) => ({ at, kind: 'allocation' as const, allocation })),
  ]
}
