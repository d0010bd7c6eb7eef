// A store that fails over to a standby which lacks what was committed in the last moments.
import type { Disk } from './disk.ts'
import { type Host, type Hosts, type HostTerm, leaderOf, noteStopping } from './host.ts'
import { mainName } from './scenario.ts'
import { diskOf, type World } from './world.ts'

const second = 1000

type BeginTerm = (host: Host, held: HostTerm) => void

/**
 * The disk of the world's pool. Once a loss is due, what is lost begins with the next record of a launch, or of anything else,
 * and lasts for up to four seconds.
 */
export function losingDisk(world: World, hosts: Hosts, begin: BeginTerm): Disk {
  const disk = diskOf(world, mainName)
  return {
    ...disk,
    get lines() {
      return disk.lines
    },
    async append(record) {
      const due = hosts.lossDue
      if (due !== undefined && (record['kind'] === 'intent' || due < 0.3)) {
        hosts.lossDue = undefined
        loseFromNow(world, hosts, due, begin)
      }
      await disk.append(record)
    },
  }
}

/** Every host that leads notices the loss at its next renewal. */
function loseFromNow(world: World, hosts: Hosts, draw: number, begin: BeginTerm): void {
  const { clock, invariants, timeline } = world
  const disk = diskOf(world, mainName)
  const lines = [...disk.lines]
  const seen = invariants.seen.get(mainName)
  const before = {
    written: new Set(seen?.written),
    closed: new Set(seen?.closed),
    wasPaused: seen?.pausedSince !== undefined,
  }
  clock.after(200 + draw * 4 * second, () => {
    timeline.add('store', 'has lost commits', { before: lines.length, after: disk.lines.length })
    disk.copy({ lines })
    hosts.losses++
    // The leader may have been on the machine of the lost primary.
    const dying = draw * 1000 - Math.floor(draw * 1000) < 0.5 ? leaderOf(hosts) : undefined
    invariants.onCommitsLost(mainName, before, dying !== undefined)
    const { losses } = hosts
    for (const host of hosts.all) {
      const { life } = host
      const notices = hosts.draw.fork(host.name, 'notices', losses).whole(0, 1500)
      clock.after(notices, () => {
        if (host.life === life) void reopen(world, hosts, host, begin)
      })
    }
    dying?.life.kill()
  })
}

/** As the daemon: where its lease is over it cannot open a journal, and tries again as soon as it leads again. */
async function reopen(world: World, hosts: Hosts, host: Host, begin: BeginTerm): Promise<void> {
  const { term: held, life } = host
  if (!held) return
  const isOver = () => host.term !== held || held.isEnding || host.leaving || !life.alive
  await life.awake()
  if (isOver()) return
  world.timeline.add(host.name, 'opens its journal again')
  noteStopping(world, hosts, host)
  await held.provisioner.fleet.stop()
  if (isOver()) return
  held.isClosed = true
  const epoch = held.term.epoch()
  if (epoch) begin(host, { ...held, epoch })
}
