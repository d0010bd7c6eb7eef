// Commands for rollouts: what is replaced and what waits, pausing, and trying again.
import type { PoolOverview } from '../http/index.ts'
import { addressed, type CliCommand } from './command.ts'
import { forPools, pickPools } from './fleet.ts'
import { clockTime, showPicture } from './table.ts'

export function declareRollout(program: CliCommand): void {
  const rollout = program.command('rollout', 'show, pause or restart the replacement of outdated instances')
  status(rollout)
  pause(rollout)
  restart(rollout)
}

function status(rollout: CliCommand): void {
  const command = rollout.command('status', 'show which outdated instances are replaced, and what waits', {
    isDefault: true,
  })
  const named = command.rest('[pools...]', 'names of pools (default: all)')
  const { format, connect } = addressed(command)
  const watch = command.toggle('-w, --watch', 'refresh every 2 s')
  command.action(async (context) => {
    const client = await connect()
    const { fleetStatus } = await import('../http/index.ts')
    const pools = await pickPools(client, named.value, named.value.length === 0)
    const look = async () => {
      const all = (await fleetStatus(client)).pools.filter(({ pool }) => pools.includes(pool))
      const value = all.map((one) => ({ pool: one.pool, rollout: rolloutOf(one) }))
      return { lines: all.flatMap(rolloutLines), value }
    }
    return showPicture(look, format.value, watch.value, context)
  })
}

type Rollout = NonNullable<Extract<PoolOverview, { rollout?: unknown }>['rollout']>

function rolloutOf(pool: PoolOverview): Rollout | undefined {
  return 'rollout' in pool ? pool.rollout : undefined
}

/** Of one pool. */
export function rolloutLines(pool: PoolOverview): string[] {
  const rollout = rolloutOf(pool)
  if (!rollout) return [`pool ${pool.pool}: ${pool.state}, nothing is known about its rollout`]
  const { when, outdated, leaving, reasons, waits, failed, paused, opensAt } = rollout
  const head = `pool ${pool.pool} (when: ${when})`
  if (outdated === 0) return [`${head}: no instance is outdated${paused ? '; paused' : ''}`]
  return [
    `${head}: ${outdated} outdated, ${leaving} leaving`,
    ...reasons.map(({ code, meaning, instances }) => `  ${instances} × ${code}: ${meaning}`),
    ...waits.map(({ code, meaning, instances }) => `  ${instances} wait, ${code}: ${meaning}`),
    ...(opensAt === undefined ? [] : [`  the schedule allows to begin at ${clockTime(opensAt)}`]),
    ...(failed
      ? [
          `  stopped: instance ${failed.id} of the new configuration failed (${failed.code}) at ${clockTime(failed.at)}`,
        ]
      : []),
  ]
}

function pause(rollout: CliCommand): void {
  const command = rollout.command(
    'pause',
    'take no more outdated instances out of service until the rollout is restarted',
  )
  forPools(command, async (client, pool) => {
    const { pauseRollout } = await import('../http/index.ts')
    await pauseRollout(client, pool)
    return `the rollout of pool ${pool} is paused until \`provision rollout restart ${pool}\``
  })
}

function restart(rollout: CliCommand): void {
  const command = rollout.command('restart', 'resume a paused rollout, or try one again that failed')
  forPools(command, async (client, pool) => {
    const { restartRollout } = await import('../http/index.ts')
    await restartRollout(client, pool)
    return `the rollout of pool ${pool} continues`
  })
}
