// A memory of a pool with everything in it.
import { emptyMemory, type PoolMemory } from '../../src/fleet/memory.ts'
import { problem } from '../../src/problems/index.ts'
import { userDataOf } from '../../src/testing/order.ts'
import { idle, minute, now, offering, vm } from './planner.ts'

/** Every field is set. Times of what happened are `at`, those of the cloud excepted; pauses are as long as they get. */
export function fullMemory(at: number): PoolMemory {
  const memory = emptyMemory()
  const userData = userDataOf('first')
  const { sha256 } = userData
  const { preference: _, ...offered } = offering('m4', 4)
  memory.tracks.set('i1', {
    ...vm('i1', {
      ordered: 'when_idle',
      stateReason: 'none',
      interruptedAt: now,
      endsAt: now,
      launchedAt: now,
    }),
    addresses: ['10.0.0.9'],
    knownSince: at,
    joinedAt: at,
    lostSince: at,
    drainedAt: at,
    undrainedAt: at,
    endedAt: at,
    listed: true,
    sha256,
    generation: 'made-before',
    kept: { times: 2, until: at + 75 * minute },
    judged: true,
    told: true,
    retryAt: at + minute,
  })
  memory.agents.set('i1', idle('i1', at, { freeAux: 3, settledSince: at }))
  memory.unplaced.set('w', { agents: ['i1', 'i2'], until: at + 37.5 * minute, trial: 'i1' })
  memory.intents.set('a', {
    ...{
      id: 'a',
      at,
      count: 2,
      offerings: [offered],
      gang: true,
      sha256,
      version: '1',
      generation: 'made-now',
      seen: new Set(['i1']),
    },
    ...{ sending: false, lastSentAt: at, doubtful: true, retryAt: at, listAfter: at },
  })
  memory.userData.set(sha256, userData)
  for (const id of ['made-before', 'made-now'])
    memory.generations.set(id, { id, version: 1, keys: { image: id, startup_script: 'same' } })
  memory.generation = 'made-now'
  memory.offerings.set('on_demand/m4/a', { class: 'capacity', failures: 1, until: at + 37.5 * minute })
  memory.breaker = { failures: 3, openings: 1, openedAt: at, until: at + 37.5 * minute }
  memory.budget = { spent: 2.5, at }
  const where = { file: 'f', line: 1 }
  const failed = problem('PROVIDER_CAPACITY', 'none left', { where, details: { a: 1 } })
  memory.launchError = { failures: 1, lastAt: at, readyAt: at + 37.5 * minute, problem: failed }
  memory.adopted.add('other')
  memory.proven.add(sha256)
  memory.paused = true
  return memory
}
