// The end of a pool: every VM of ours is ended, and none is launched any more.
import { isLive, type PoolMemory } from './memory.ts'
import type { PoolRun } from './run.ts'

const lookEvery = 200

/** Those that launches under way still bring are ended as they come. */
export function orderAll({ tracks }: PoolMemory): void {
  for (const track of tracks.values()) track.ordered = 'even_if_busy'
}

/** Waits until nothing of ours is left that could bill, at most `patience` milliseconds; returns what is. */
export async function cleared(run: PoolRun, patience: number): Promise<string[]> {
  const end = run.now() + patience
  while (!run.stopping && run.now() < end && !isClear(run.memory)) {
    await run.deps.clock.sleep(lookEvery)
    run.changed()
  }
  return leftIn(run.memory)
}

function isClear(memory: PoolMemory): boolean {
  return memory.listing !== undefined && memory.intents.size === 0 && leftIn(memory).length === 0
}

/** A VM whose end the cloud has accepted is not left. */
function leftIn({ tracks }: PoolMemory): string[] {
  return [...tracks.values()]
    .filter((track) => isLive(track) && track.endedAt === undefined)
    .map(({ id }) => id)
}
