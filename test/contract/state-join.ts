// The state contract, fourth part: the agents' CA, used nonces, and the key that each instance has joined with first.
import { describe, expect } from 'vitest'
import type { Binding, CaContents } from '../../src/state/join.ts'
import type { StateStore } from '../../src/state/store.ts'
import { type Clause, eventually } from '../../src/testing/clauses.ts'
import { startChild } from '../support/start-child.ts'
import { type Here, lastStep } from './state-failures.ts'
import type { StateAbility } from './state-harness.ts'
import { upTo } from './state-records.ts'

const odd = 'a/b "ü" \\ \' 😀\n%..'
const hash = (n: number) => n.toString(16).padStart(64, '0')
const ca = (n: number): CaContents => ({
  nonceKey: Buffer.alloc(32, n).toString('base64'),
  authorities: [{ role: 'issuing', certificate: `certificate ${n}\n`, key: `key ${n}` }],
})
const bound = (instance: string, key = 1, more: Partial<Binding> = {}): Binding => ({
  ...{ instance, pool: odd, key: hash(key), boundAt: 1_000.5, issuer: hash(9), expiresAt: 3 },
  ...more,
})

export function describeStateJoin(clause: Clause<StateAbility>, here: Here): void {
  const join = () => here.life().store.join

  /** This process and three more on the same state. */
  async function withOthers<T>(work: (stores: StateStore['join'][]) => Promise<T>): Promise<T> {
    const others = await Promise.all(upTo(3).map(() => here.harness().open()))
    try {
      return await work([here.life().store, ...others].map((store) => store.join))
    } finally {
      for (const other of others) await other.close()
    }
  }

  describe("the agents' CA", () => {
    clause('is nothing at first, then what was written, for the next start', [], async () => {
      expect(await join().readCa()).toBeUndefined()
      expect(await join().replaceCa(ca(1), undefined)).toBe(true)
      expect(await join().replaceCa(ca(2), undefined)).toBe(false)
      await here.restart()
      const first = await join().readCa()
      expect(first).toEqual({ ...ca(1), revision: expect.any(Number) })
      expect(await join().replaceCa({ ...ca(3), authorities: [] }, first!.revision)).toBe(true)
      expect(await join().readCa()).toEqual({
        ...ca(3),
        authorities: [],
        revision: expect.any(Number),
      })
    })

    clause('is not replaced by one who has read an older one', [], async () => {
      await join().replaceCa(ca(0), undefined)
      const revisions: number[] = []
      for (const n of upTo(5)) {
        const { revision } = (await join().readCa())!
        revisions.push(revision)
        expect(await join().replaceCa(ca(n), revision)).toBe(true)
      }
      for (const old of revisions) expect(await join().replaceCa(ca(9), old)).toBe(false)
      expect(await join().replaceCa(ca(9), revisions.at(-1)! + 7)).toBe(false)
      expect(await join().readCa()).toMatchObject(ca(4))
    })

    clause('is made once by several at once, and changed by one of them', [], async () => {
      await withOthers(async (stores) => {
        const made = await Promise.all(
          upTo(20).map((n) => stores[n % stores.length]!.replaceCa(ca(n), undefined)),
        )
        expect(made.filter((isMine) => isMine)).toHaveLength(1)
        const first = (await stores[1]!.readCa())!
        expect(first).toMatchObject(ca(made.indexOf(true)))
        const changed = await Promise.all(
          upTo(20).map((n) => stores[n % stores.length]!.replaceCa(ca(100 + n), first.revision)),
        )
        expect(changed.filter((isMine) => isMine)).toHaveLength(1)
        expect(await stores[2]!.readCa()).toMatchObject(ca(100 + changed.indexOf(true)))
      })
    })

    clause('loses no change of several who count in it at once', [], async () => {
      await join().replaceCa({ ...ca(0), authorities: [] }, undefined)
      await withOthers(async (stores) => {
        await Promise.all(
          stores.map(async (store, by) => {
            for (const n of upTo(5))
              for (;;) {
                const { revision, ...now } = (await store.readCa())!
                const authorities = [...now.authorities, ...ca(by * 100 + n).authorities]
                if (await store.replaceCa({ ...now, authorities }, revision)) break
              }
          }),
        )
        const { authorities } = (await stores[0]!.readCa())!
        expect(new Set(authorities.map(({ certificate }) => certificate)).size).toBe(20)
        expect(authorities).toHaveLength(20)
      })
    })
  })

  describe('a nonce', () => {
    clause('is taken once, also by several at once and after a restart', [], async () => {
      await withOthers(async (stores) => {
        const taken = await Promise.all(
          upTo(40).map((n) => stores[n % stores.length]!.takeNonce(`nonce ${n % 4}`)),
        )
        expect(taken.filter((isMine) => isMine)).toHaveLength(4)
      })
      await here.restart()
      for (const n of upTo(4)) expect(await join().takeNonce(`nonce ${n}`)).toBe(false)
      expect(await join().takeNonce(odd)).toBe(true)
      expect(await join().takeNonce(odd)).toBe(false)
    })

    clause('is remembered while hundreds more are taken', [], async () => {
      expect(await join().takeNonce('first')).toBe(true)
      const more = await Promise.all(upTo(520).map((n) => join().takeNonce(`n${n}`)))
      expect(more.filter((isMine) => isMine)).toHaveLength(520)
      expect(await join().takeNonce('first')).toBe(false)
      expect(await join().takeNonce('n0')).toBe(false)
    })
  })

  describe('the binding of an instance', () => {
    clause('is the first one, for the next start', [], async () => {
      expect(await join().binding('i-1')).toBeUndefined()
      expect(await join().bindings()).toEqual([])
      const first = await join().bind(bound('i-1', 1, { otherKeyAt: 4, reissueUntil: 5.5 }))
      expect(first).toEqual({
        ...bound('i-1', 1, { otherKeyAt: 4, reissueUntil: 5.5 }),
        revision: first.revision,
      })
      expect(await join().bind(bound('i-1', 2))).toEqual(first)
      await join().bind(bound(odd, 3))
      await join().bind(bound('..', 4))
      await here.restart()
      expect(await join().binding('i-1')).toEqual(first)
      expect(await join().binding(odd)).toMatchObject(bound(odd, 3))
      const all = (await join().bindings()).map(({ instance }) => instance)
      expect(all.sort()).toEqual(['..', odd, 'i-1'].sort())
    })

    clause('is the same for all who bind different keys at once', [], async () => {
      await withOthers(async (stores) => {
        const found = await Promise.all(
          upTo(50).map((n) => stores[n % stores.length]!.bind(bound('i-race', n))),
        )
        expect(new Set(found.map(({ key }) => key)).size).toBe(1)
        expect(await stores[1]!.binding('i-race')).toEqual(found[0])
        expect(await stores[0]!.bindings()).toHaveLength(1)
      })
    })

    clause('is replaced only by one who has read it as it is', [], async () => {
      const first = await join().bind(bound('i-1', 1))
      expect(await join().replaceBinding(bound('i-1', 2), first)).toBe(true)
      expect(await join().replaceBinding(bound('i-1', 3), first)).toBe(false)
      const second = (await join().binding('i-1'))!
      expect(second).toMatchObject(bound('i-1', 2))
      await withOthers(async (stores) => {
        const changed = await Promise.all(
          upTo(20).map((n) => stores[n % stores.length]!.replaceBinding(bound('i-1', 100 + n), second)),
        )
        expect(changed.filter((isMine) => isMine)).toHaveLength(1)
        expect(await stores[3]!.binding('i-1')).toMatchObject({ key: hash(100 + changed.indexOf(true)) })
      })
      expect(await join().replaceBinding(bound('i-2', 1), { ...bound('i-2', 1), revision: 1 })).toBe(false)
      expect(await join().binding('i-2')).toBeUndefined()
    })

    clause('is removed by itself, and made anew afterwards', [], async () => {
      const gone = await join().bind(bound('i-1', 1))
      await join().bind(bound('i-2', 2))
      await join().removeBindings([])
      await join().removeBindings(['i-1', 'unknown'])
      expect(await join().binding('i-1')).toBeUndefined()
      expect(await join().replaceBinding(bound('i-1', 5), gone)).toBe(false)
      expect((await join().bindings()).map(({ instance }) => instance)).toEqual(['i-2'])
      expect(await join().bind(bound('i-1', 3))).toMatchObject({ key: hash(3) })
    })

    clause('is there when it was confirmed by a process that was killed', ['processes'], async () => {
      for (const ms of [0, 20]) {
        await here.life().end()
        const child = startChild('bind', here.harness().settings!)
        await eventually(() => lastStep(child)).toBeGreaterThan(3)
        await new Promise((resolve) => setTimeout(resolve, ms))
        await child.kill()
        await here.restart()
        const found = (await join().bindings()).map(({ instance }) => Number(instance.slice(2)))
        expect(found).toEqual(expect.arrayContaining(upTo(lastStep(child) + 1)))
      }
    })

    clause('is not made while the store is out of reach, and then again', ['disconnects'], async () => {
      const restore = await here.harness().disconnect!()
      const codeOf = (call: Promise<unknown>) =>
        call.then(
          () => 'done',
          (error) => error.code,
        )
      expect(await codeOf(join().bind(bound('i-1')))).toBe('STATE_UNREACHABLE')
      expect(await codeOf(join().takeNonce('n'))).toBe('STATE_UNREACHABLE')
      expect(await codeOf(join().readCa())).toBe('STATE_UNREACHABLE')
      await restore()
      await eventually(() => codeOf(join().bind(bound('i-1')))).toBe('done')
    })
  })
}
