// Rules that the clouds share: terminating VMs, failures by class, items of a check, and cached answers.
import { describe, expect, it } from 'vitest'
import type { FailureClass } from '../../../src/planner/snapshot.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import type { CheckItem, TerminateResult } from '../../../src/providers/contract.ts'
import { attemptWith, failureFrom, fault, orProblem, ownFailure } from '../../../src/providers/failure.ts'
import { terminateOwn } from '../../../src/providers/launch-steps.ts'
import { cachedAnswer, cachedSlots, ownIdentity } from '../../../src/providers/online-facts.ts'
import { owner } from '../../support/cloud-pools.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const failureOf = (error: unknown, doing: string) =>
  failureFrom({ class: 'transient' }, doing, { code: 'Broken', message: (error as Error).message })

interface Vm {
  pool: string
  gone?: boolean
}

describe('terminating', () => {
  const vms = new Map<string, Vm>([
    ['ours', { pool: 'gpu' }],
    ['foreign', { pool: 'other' }],
    ['gone', { pool: 'gpu', gone: true }],
  ])
  const rules = {
    owner,
    find: async () => vms,
    isManaged: (vm: Vm) => vm.pool === 'gpu',
    targetOf: (id: string, vm?: Vm) => ((vm ? vm.gone : id !== 'new') ? undefined : id.toUpperCase()),
    terminate: async (targets: string[], result: TerminateResult) => void result.terminated.push(...targets),
    failureOf,
  }

  it('rejects foreign VMs, counts those that are gone, and terminates the others', async () => {
    const { terminated, failures } = await terminateOwn(['ours', 'foreign', 'gone', 'new', 'never'], rules)
    expect(terminated).toEqual(['gone', 'never', 'OURS', 'NEW'])
    expect(failures).toMatchObject([
      { id: 'foreign', class: 'config', problem: { code: 'PROVIDER_NOT_OURS', details: { id: 'foreign' } } },
    ])
  })

  it('fails for every id when the cloud does not list them', async () => {
    const find = () => Promise.reject(new Error('away'))
    const { terminated, failures } = await terminateOwn(['a', 'b'], { ...rules, find })
    expect(terminated).toEqual([])
    expect(failures.map(({ id, class: kind }) => [id, kind])).toEqual([
      ['a', 'transient'],
      ['b', 'transient'],
    ])
    expect(failures[0]?.problem.message).toBe(
      'could not find the instances to terminate in pool gpu in cluster prod: Broken: away',
    )
  })

  it('rejects with the reason once it is aborted', async () => {
    const stop = AbortSignal.abort(new Error('stopped'))
    await expect(terminateOwn(['ours'], rules, stop)).rejects.toThrow('stopped')
  })
})

describe('a failure', () => {
  it.each<[FailureClass, string]>([
    ['capacity', 'PROVIDER_CAPACITY'],
    ['quota', 'PROVIDER_QUOTA'],
    ['throttle', 'PROVIDER_THROTTLED'],
    ['config', 'PROVIDER_CONFIG'],
    ['auth', 'PROVIDER_AUTH'],
    ['transient', 'PROVIDER_TRANSIENT'],
  ])('of class %s is %s', (kind, code) => {
    const cause = new Error('said')
    const row = { class: kind, remedy: 'Do this.' }
    const error = { code: 'Code', message: 'why', details: { action: 'x' }, cause }
    expect(failureFrom(row, 'do it', error)).toEqual({
      class: kind,
      problem: expect.objectContaining({
        code,
        message: 'could not do it: Code: why',
        remedy: 'Do this.',
        details: { code: 'Code', action: 'x' },
        cause,
      }),
    })
  })

  it('of our own keeps its problem', () => {
    const known = problem('PROVIDER_CONFIG', 'there is no image')
    expect(ownFailure(new ProvisionError(known))).toEqual({ class: 'config', problem: known })
    expect(ownFailure(new Error('other'))).toBeUndefined()
  })

  it('is thrown as a problem when a result cannot contain it', async () => {
    const ask = () => Promise.reject(new Error('away'))
    await expect(orProblem(failureOf, 'describe m4', ask)).rejects.toThrow(
      'PROVIDER_TRANSIENT: could not describe m4: Broken: away',
    )
    const stop = AbortSignal.abort(new Error('stopped'))
    await expect(orProblem(failureOf, 'describe m4', ask, stop)).rejects.toThrow('stopped')
  })
})

describe('the items of a check', () => {
  const attempt = attemptWith(failureOf)

  it('have no problem, the one that was found, or the error of the cloud', async () => {
    const items: CheckItem[] = []
    const find = async () => 7
    expect(await attempt(items, 'one', find)).toBe(7)
    expect(await attempt(items, 'two', find, (found) => fault(`${found} is too few`, 'Take 8.'))).toBe(7)
    expect(await attempt(items, 'three', () => Promise.reject(new Error('away')))).toBeUndefined()
    expect(items).toMatchObject([
      { what: 'one' },
      { what: 'two', problem: { code: 'PROVIDER_CONFIG', message: '7 is too few', remedy: 'Take 8.' } },
      { what: 'three', problem: { message: 'could not find three: Broken: away' } },
    ])
    expect(items[0]).not.toHaveProperty('problem')
  })
})

describe('cached answers', () => {
  it('are refreshed when they are too old, once for all callers, and after a failure', async () => {
    const clock = new FakeClock()
    const answers = ['first', 'second']
    let calls = 0
    const ask = cachedAnswer(clock, 1_000, async () => {
      calls++
      const answer = answers.shift()
      if (!answer) throw new Error('away')
      return answer
    })
    expect(await Promise.all([ask(), ask()])).toEqual(['first', 'first'])
    await clock.advance(999)
    expect([await ask(), calls]).toEqual(['first', 1])
    await clock.advance(1)
    expect([await ask(), calls]).toEqual(['second', 2])
    await clock.advance(1_000)
    await expect(ask()).rejects.toThrow('away')
    answers.push('third')
    expect(await ask()).toBe('third')
  })

  it('about the name of this machine are requested once; no name and no answer mean another cloud', async () => {
    let calls = 0
    const named = ownIdentity(async () => `vm-${++calls}`)
    expect([await named(), await named()]).toEqual(['vm-1', 'vm-1'])
    const none = 'determined-ai-determined'
    expect(await ownIdentity(async () => undefined)()).toBe(none)
    expect(await ownIdentity(() => Promise.reject(new Error('away')))()).toBe(none)
  })

  it('about slots are requested until they are known', async () => {
    const answers = [undefined, 0, 8]
    const slotsOf = cachedSlots(async () => answers.shift())
    expect([await slotsOf('m4'), await slotsOf('m4'), await slotsOf('m4')]).toEqual([undefined, 0, 0])
    expect(await slotsOf('n4')).toBe(8)
  })
})
