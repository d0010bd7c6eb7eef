// How changes of the configuration reach running instances: `rollout` of a provider.
import type * as z from 'zod/mini'
import { block, choice, keyOr } from './fields.ts'
import { type Block, note } from './read-block.ts'

const imageModes = choice('pinned', 'latest')

const rolloutKeys = {
  images: keyOr(
    imageModes,
    'pinned',
    'Whether a newer image behind an unchanged name (an SSM parameter, the newest image of an owner, an image family) makes running instances drifted: `latest`; or not: `pinned` ([drift](rollouts.md)). New instances get the newest image in both cases.',
  ),
}

export const rolloutKey = block(rolloutKeys, 'Which running instances count as drifted.')

/**
 * Notes that `rollout.images: latest` has no effect in this pool. `hasNewest`: its image is a name behind which a newer image can
 * appear.
 */
export function checkImages(
  { rollout }: { rollout?: Partial<z.output<typeof rolloutKey>> | undefined },
  block: Block,
  hasNewest: boolean,
): void {
  if (rollout?.images !== 'latest' || hasNewest) return
  note(block, 'CONFIG_UNUSED', 'rollout.images has no effect: the image of the pool is always the same one', {
    key: ['rollout', 'images'],
    part: 'key',
    remedy: 'Remove it.',
  })
}
