// A store that fails over to a standby which lacks what was committed in the last moments.
import type { Disk } from './disk.ts'
import { type Host, type Hosts, leaderOf } from './host.ts'
import { mainName } from './scenario.ts'
import { diskOf, type World } from './world.ts'

const second = 1000

/**
 * The disk of the world's pool. Once a loss is due, what is lost begins with the next record of a launch, or of anything else,
 * and lasts for up to four seconds.
 */
export function losingDisk(world: World, hosts: Hosts, reopen: (host: Host) => void): Disk {
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
        loseFromNow(world, hosts, due, reopen)
      }
      await disk.append(record)
    },
  }
}

/** Every host that leads notices the loss at its next renewal. */
function loseFromNow(world: World, hosts: Hosts, draw: number, reopen: (host: Host) => void): void {
  const { clock, invariants, timeline } = world
  const disk = diskOf(world, mainName)
  const lines = [...disk.lines]
  const seen = invariants.seen.get(mainName)
  const before = { written: new Set(seen?.written), closed: new Set(seen?.closed) }
  clock.after(200 + draw * 4 * second, () => {
    timeline.add('store', 'has lost commits', { before: lines.length, after: disk.lines.length })
    disk.copy({ lines })
    hosts.losses++
    invariants.onCommitsLost(mainName, before)
    const { losses } = hosts
    for (const host of hosts.all) {
      const { life } = host
      const notices = hosts.draw.fork(host.name, 'notices', losses).whole(0, 1500)
      clock.after(notices, () => {
        if (host.life === life) reopen(host)
      })
    }
    // The leader may have been on the machine of the lost primary.
    const leader = leaderOf(hosts)
    if (leader && draw * 1000 - Math.floor(draw * 1000) >= 0.5) return
    leader?.life.kill()
    invariants.onMemoryLost(mainName)
  })
}
