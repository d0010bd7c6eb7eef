// Everybody who must not get a certificate, against a join endpoint that runs in a process of its own; `test/tools/join` has the long run.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Joined, joinAll, joinedIds, threats } from '../../support/hostile-joins/threats.ts'
import { type Hostile, hostileWorld } from '../../support/hostile-joins/world.ts'

let world: Hostile
let joined: Joined
beforeAll(async () => {
  world = await hostileWorld()
  joined = await joinAll(world)
})
afterAll(() => world?.close())

it('nobody of the threat table gets a certificate, all get the same answer, and the log has the reason', async () => {
  const [answers, reasons] = [new Set<string>(), [] as [string, string][]]
  const attacks = threats(world, joined)
  for (const { run } of attacks) {
    answers.add(JSON.stringify(await run()))
    reasons.push([attacks[reasons.length]!.name, await world.lastCode()])
  }
  expect(reasons).toEqual(attacks.map(({ name, code }) => [name, code]))
  expect([...answers].map((answer) => JSON.parse(answer))).toEqual([
    { status: 403, text: '{"code":"JOIN_REFUSED","message":"refused"}', head: expect.any(String) },
  ])
  const { bindings, outcomes } = await world.report()
  expect(bindings.map(({ instance }) => instance).sort()).toEqual(joinedIds.toSorted())
  expect(attacks.length).toBeGreaterThan(90)
  expect(outcomes['JOIN_KEY_CHANGED']).toBe(3)
})
