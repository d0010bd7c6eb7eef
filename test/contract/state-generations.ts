// The state contract, fifth part: what instances were made from, in the journal of their pool.
import { describe, expect } from 'vitest'
import { checkpointOf, recall } from '../../src/fleet/records.ts'
import type { Clause } from '../../src/testing/clauses.ts'
import { fullMemory } from '../support/full-memory.ts'
import { now } from '../support/planner.ts'
import type { Here } from './state-failures.ts'
import type { StateAbility } from './state-harness.ts'

export function describeStateGenerations(clause: Clause<StateAbility>, here: Here): void {
  describe('the generations of a pool', () => {
    clause('are known to the next start, from single records and from a compacted journal', [], async () => {
      const memory = fullMemory(now)
      const { journal } = await here.life().journal()
      await journal.rewrite(checkpointOf(memory, now))
      const odd = { id: 'odd', version: 2, keys: { 'a key "ü"@spot': 'digest', TLS_ROOT: '' } }
      await journal.append({ at: now, kind: 'generation', generation: odd })
      await here.restart()
      const next = await here.life().journal()
      const known = recall(next.records, now)
      expect(known.generation).toBe('odd')
      expect(known.generations).toEqual(new Map([...memory.generations, ['odd', odd]]))
      expect([...known.tracks.values()].map(({ generation }) => generation)).toEqual(['made-before'])
      expect([...known.intents.values()].map(({ generation }) => generation)).toEqual(['made-now'])
      await next.journal.rewrite(checkpointOf(known, now))
      await here.restart()
      const again = recall((await here.life().journal()).records, now)
      expect([again.generation, again.generations]).toEqual([known.generation, known.generations])
    })
  })
}
