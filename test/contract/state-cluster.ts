// The state contract, third part: what is noted of the cluster, by several provisioners at once.
import { describe, expect } from 'vitest'
import { type ClusterLocation, type ClusterNotes, keyOf } from '../../src/state/cluster.ts'
import { type Clause, eventually } from '../../src/testing/clauses.ts'
import { startChild } from '../support/start-child.ts'
import { type Here, lastStep } from './state-failures.ts'
import type { StateAbility } from './state-harness.ts'
import { upTo } from './state-records.ts'

const west: ClusterLocation = { provider: 'aws', location: { region: 'us-west-2' } }
const east: ClusterLocation = { provider: 'aws', location: { region: 'us-east-1' } }
const odd = 'a/b "ü" \\ \' 😀\n%'
const none: ClusterNotes = { locations: [], adopted: [], drained: [] }

/** Their order means nothing. */
function sorted({ locations, adopted, drained }: ClusterNotes): ClusterNotes {
  const by = (text: (one: never) => string) => (a: unknown, b: unknown) =>
    text(a as never) < text(b as never) ? -1 : 1
  return {
    locations: [...locations].sort(by(keyOf)),
    adopted: [...adopted].sort(
      by(({ writer, pool }: ClusterNotes['adopted'][number]) => `${writer} ${pool}`),
    ),
    drained: [...drained].sort(),
  }
}

export function describeStateCluster(clause: Clause<StateAbility>, here: Here): void {
  const cluster = () => here.life().store.cluster
  const notes = async () => sorted(await cluster().read())

  describe('the notes about the cluster', () => {
    clause('are nothing at first, and then what was added, for the next start', [], async () => {
      expect(await notes()).toEqual(none)
      expect(await here.life().store.identity.isNew()).toBe(true)
      await cluster().addLocation({ provider: odd, location: { [odd]: odd, zone: 'b' }, account: odd })
      await cluster().addLocation(west)
      await cluster().adopt([{ writer: odd, pool: odd }])
      await cluster().addDrained(['i-1', odd])
      await here.restart()
      expect(await notes()).toEqual(
        sorted({
          locations: [{ provider: odd, location: { [odd]: odd, zone: 'b' }, account: odd }, west],
          adopted: [{ writer: odd, pool: odd }],
          drained: ['i-1', odd],
        }),
      )
      expect(await here.life().store.identity.isNew()).toBe(false)
    })

    clause('have each location once, with the first account that was known', [], async () => {
      const both = { provider: 'gcp', location: { project: 'p', region: 'r' } }
      await cluster().addLocation(both)
      await cluster().addLocation({ provider: 'gcp', location: { region: 'r', project: 'p' } })
      await cluster().addLocation(west)
      await cluster().addLocation({ ...west, account: '1' })
      await cluster().addLocation(west)
      await cluster().addLocation({ ...west, account: '2' })
      await cluster().addLocation({ ...west, provider: 'other' })
      const { locations } = await notes()
      expect(locations).toEqual([{ ...west, account: '1' }, both, { ...west, provider: 'other' }])
    })

    clause('have each adopted writer of a pool once', [], async () => {
      const [a, b] = [
        { writer: 'w', pool: 'a' },
        { writer: 'w', pool: 'b' },
      ]
      await cluster().adopt([a, b, a])
      await cluster().adopt([b, { writer: 'v', pool: 'a' }])
      await cluster().adopt([])
      expect((await notes()).adopted).toEqual([{ writer: 'v', pool: 'a' }, a, b])
    })

    clause('lose only the drains that are removed', [], async () => {
      await cluster().addDrained(['a', 'b', 'a'])
      await cluster().addDrained(['b', 'c'])
      await cluster().removeDrained(['b', 'unknown'])
      await cluster().removeDrained([])
      expect((await notes()).drained).toEqual(['a', 'c'])
    })

    clause('have everything that several provisioners add and remove at once', [], async () => {
      const others = await Promise.all(upTo(3).map(() => here.harness().open()))
      const all = [here.life().store, ...others].map((store) => store.cluster)
      await all[0]!.addDrained(upTo(20).map((n) => `old-${n}`))
      await Promise.all(
        all.flatMap((one, by) =>
          upTo(10).flatMap((n) => [
            one.addLocation({ provider: 'aws', location: { region: `r-${n}` }, account: String(n) }),
            one.addLocation({ provider: 'aws', location: { region: `r-${by}-${n}` } }),
            one.adopt(upTo(3, n).map((each) => ({ writer: `w-${by}`, pool: `p-${each}` }))),
            one.addDrained([`i-${n}`, `i-${by}-${n}`]),
            one.removeDrained([`old-${(by * 5 + n) % 20}`, `old-${(by * 5 + n + 7) % 20}`]),
          ]),
        ),
      )
      const { locations, adopted, drained } = await notes()
      expect([locations.length, new Set(locations.map(keyOf)).size]).toEqual([50, 50])
      expect(locations.filter(({ account }) => account !== undefined)).toHaveLength(10)
      expect([adopted.length, drained.length]).toEqual([4 * 12, 50])
      expect(drained.filter((id) => id.startsWith('old'))).toEqual([])
      for (const other of others) {
        expect(sorted(await other.cluster.read())).toEqual(await notes())
        await other.close()
      }
    })

    clause('of a process that is killed have every location that was confirmed', ['processes'], async () => {
      for (const ms of [0, 20]) {
        await here.life().end()
        const child = startChild('note', here.harness().settings!)
        await eventually(() => lastStep(child)).toBeGreaterThan(3)
        await new Promise((resolve) => setTimeout(resolve, ms))
        await child.kill()
        await here.restart()
        const found = (await cluster().read()).locations.map(({ location }) => Number(location['n']))
        expect(found).toEqual(expect.arrayContaining(upTo(lastStep(child) + 1)))
      }
    })

    clause('are not written while the store is out of reach, and then again', ['disconnects'], async () => {
      const restore = await here.harness().disconnect!()
      const refusal = await cluster()
        .addLocation(east)
        .catch((thrown) => thrown)
      expect(refusal.code).toBe('STATE_UNREACHABLE')
      expect(
        (
          await cluster()
            .read()
            .catch((thrown) => thrown)
        ).code,
      ).toBe('STATE_UNREACHABLE')
      await restore()
      await eventually(() =>
        cluster()
          .addLocation(west)
          .then(
            () => 'written',
            (error) => error.code,
          ),
      ).toBe('written')
      expect((await notes()).locations).toContainEqual(west)
    })
  })
}
