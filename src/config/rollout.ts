// How changes of the configuration reach running instances: `rollout` of a provider.
import * as z from 'zod/mini'
import { windowFault } from '../platform/index.ts'
import { block, choice, count, key, keyOr, kinds, list, name, needed, period } from './fields.ts'
import { type Block, note, type Partially } from './read-block.ts'

const imageModes = choice('pinned', 'latest')

/** A number of instances, or a percentage of those of the pool. */
const share = z.union([count(1), z.string().check(z.regex(/^(?:[1-9]\d?|100)%$/))]).register(kinds, {
  noun: 'a number of instances from 1, or a percentage such as "10%"',
  remedy: 'Write an integer such as 1, or a percentage from "1%" to "100%".',
})

const windowKeys = {
  cron: needed(name, 'When the window opens: five fields as in crontab, such as `0 22 * * 1-5`.'),
  duration: needed(period, 'How long it is open.'),
  time_zone: key(name, 'The time zone of `cron`, such as `Europe/Berlin`.', '`UTC`'),
}

const rolloutKeys = {
  when: keyOr(
    choice('idle', 'budget', 'never'),
    'idle',
    'Which outdated instances are replaced ([rollouts](rollouts.md)): `idle`: those that are idle and that no waiting job needs; `budget`: busy ones get no new jobs either, `max_unavailable` of them at once, and leave when their jobs have ended; `never`: none.',
  ),
  max_unavailable: keyOr(
    share,
    '10%',
    'How many instances a rollout may take out of service at once: a number, or a percentage of the instances of the pool, rounded down, one at least.',
  ),
  surge: keyOr(
    share,
    1,
    'How many instances a rollout may launch beyond what is needed, so that one joins before another leaves because of `min_instances`: a number or a percentage.',
  ),
  schedule: key(
    z
      .array(z.strictObject(windowKeys))
      .check(z.minLength(1))
      .register(kinds, list('windows such as {cron: "0 22 * * 1-5", duration: 8h}')),
    'When a rollout may begin to replace instances. What has begun continues afterwards.',
    'always',
  ),
  drain_timeout: key(
    period,
    'With `when: budget`: how long the jobs of an outdated instance may still run before it is terminated with them.',
    'none: a busy instance is never terminated',
  ),
  images: keyOr(
    imageModes,
    'pinned',
    'Whether a newer image behind an unchanged name (an SSM parameter, the newest image of an owner, an image family) makes running instances drifted: `latest`; or not: `pinned` ([drift](rollouts.md)). New instances get the newest image in both cases.',
  ),
}

export const lifetimeKey = key(
  period,
  'How long after its launch an instance is replaced by the rules of `rollout`, such as `168h`. Each one is replaced up to a tenth earlier, so that instances of one launch do not leave together.',
  'none',
)

export const rolloutKey = block(
  rolloutKeys,
  'Which running instances are outdated, and how they are replaced.',
)

/**
 * Notes that `rollout.images: latest` has no effect in this pool. `hasNewest`: its image is a name behind which a newer image can
 * appear.
 */
export function checkImages(
  { rollout }: Pick<Partially<RolloutKeys>, 'rollout'>,
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

interface RolloutKeys {
  rollout: z.output<typeof rolloutKey>
  max_lifetime?: number | undefined
}

const hour = 3_600_000

export function checkRollout({ rollout, max_lifetime }: Partially<RolloutKeys>, block: Block): void {
  if (max_lifetime !== undefined && max_lifetime < hour)
    note(block, 'CONFIG_OUT_OF_RANGE', 'max_lifetime must be at least 1h', {
      key: 'max_lifetime',
      remedy: 'Raise it; `168h` replaces each instance once a week.',
    })
  rollout?.schedule?.forEach(({ cron = '', time_zone: timeZone }, index) => {
    const fault = cron === '' ? undefined : windowFault({ cron, timeZone })
    if (!fault) return
    const field = fault.field === 'cron' ? 'cron' : 'time_zone'
    const remedy =
      field === 'cron'
        ? 'Write minute, hour, day of the month, month and day of the week, such as "0 22 * * 1-5".'
        : 'Write a name of the IANA time zone database, such as Europe/Berlin.'
    const value = JSON.stringify(field === 'cron' ? cron : timeZone)
    note(block, 'CONFIG_BAD_VALUE', `rollout.schedule[${index}].${field} is ${value}: ${fault.why}`, {
      key: ['rollout', 'schedule', index, field],
      remedy,
    })
  })
  const { when, drain_timeout } = rollout ?? {}
  if (when === 'never' && max_lifetime !== undefined)
    note(block, 'CONFIG_UNUSED', 'max_lifetime has no effect with `rollout.when: never`', {
      key: 'max_lifetime',
      part: 'key',
      remedy: 'Remove it, or write `when: idle`.',
    })
  if (drain_timeout !== undefined && (when === 'idle' || when === 'never'))
    note(block, 'CONFIG_UNUSED', `rollout.drain_timeout has no effect with \`when: ${when}\``, {
      key: ['rollout', 'drain_timeout'],
      part: 'key',
      remedy: 'Remove it, or write `when: budget`.',
    })
}
