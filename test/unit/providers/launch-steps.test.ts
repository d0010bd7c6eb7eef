// The steps of a launch, for any cloud: in order, each once, the next only for what is missing.
import { describe, expect, it } from 'vitest'
import type { FailureClass, Instance } from '../../../src/planner/snapshot.ts'
import { problem } from '../../../src/problems/index.ts'
import type { LaunchFailure } from '../../../src/providers/contract.ts'
import { failureFrom } from '../../../src/providers/failure.ts'
import { runSteps, type StepOutcome, type StepRules } from '../../../src/providers/launch-steps.ts'
import { userDataOf } from '../../support/aws-cloud.ts'
import { intentOf, offering, owner } from '../../support/cloud-pools.ts'

interface Step {
  name: string
  count: number
}

const step = (name: string): Step => ({ name, count: 3 })
const order = { intent: intentOf([offering('m4')], 3), owner, userData: userDataOf('true') }

function failure(kind: FailureClass): LaunchFailure {
  return { ...failureFrom({ class: kind }, 'launch', { code: kind, message: 'no' }), missing: 7 }
}

function outcome(vms: number, ...kinds: FailureClass[]): StepOutcome {
  const instances = Array.from({ length: vms }, (_, n) => ({ id: `vm-${n}` }) as Instance)
  return { instances, failures: kinds.map(failure) }
}

/** A cloud that returns the outcomes one after the other, and records the requests. */
function cloud(outcomes: StepOutcome[], more: Partial<StepRules<Step>> = {}) {
  const asked: string[] = []
  const rules: StepRules<Step> = {
    prepare: async () => ({ steps: ['a', 'b', 'c'].map(step), problems: [] }),
    withCount: ({ name }, count) => ({ name, count }),
    async send({ name, count }) {
      asked.push(`${name} ${count}`)
      return outcomes.shift()!
    },
    mayContinue: ({ failures }) => failures.every((one) => one.class === 'capacity'),
    failureOf: (error, doing) =>
      failureFrom({ class: 'transient' }, doing, { code: 'Broken', message: String(error) }),
    ...more,
  }
  return { rules, asked }
}

describe('the steps of a launch', () => {
  it('end with the first that launches every VM', async () => {
    const { rules, asked } = cloud([outcome(3)])
    const result = await runSteps(order, rules)
    expect(asked).toEqual(['a 3'])
    expect(result.instances).toHaveLength(3)
    expect(result.failures).toEqual([])
  })

  it('request what earlier steps did not launch, and count what is still missing once', async () => {
    const { rules, asked } = cloud([
      outcome(1, 'capacity', 'capacity'),
      outcome(0, 'capacity'),
      outcome(1, 'capacity'),
    ])
    const { instances, failures } = await runSteps(order, rules)
    expect(asked).toEqual(['a 3', 'b 2', 'c 2'])
    expect(instances).toHaveLength(2)
    expect(failures.map(({ missing }) => missing)).toEqual([0, 0, 0, 1])
  })

  it('leave nothing missing when a later one launched the rest', async () => {
    const { rules } = cloud([outcome(1, 'capacity'), outcome(2)])
    const { failures } = await runSteps(order, rules)
    expect(failures.map(({ missing }) => missing)).toEqual([0])
  })

  it('count what is missing in the failure of unknown outcome, wherever it is: those may exist', async () => {
    const unknown = cloud([outcome(1, 'transient', 'capacity')])
    const { failures } = await runSteps(order, unknown.rules)
    expect(failures.map(({ missing }) => missing)).toEqual([2, 0])
    const parts = outcome(1, 'capacity', 'transient')
    Object.assign(parts.failures[1]!, { notSent: true })
    parts.failures.push(failure('capacity'))
    const known = await runSteps(order, cloud([parts]).rules)
    expect(known.failures.map(({ missing }) => missing)).toEqual([0, 0, 2])
  })

  it('end when a later one cannot help', async () => {
    const { rules, asked } = cloud([outcome(1, 'auth')])
    const { failures } = await runSteps(order, rules)
    expect(asked).toEqual(['a 3'])
    expect(failures.map(({ missing }) => missing)).toEqual([2])
  })

  it('compare what one launched with what it was asked for', async () => {
    const seen: number[] = []
    const mayContinue: StepRules<Step>['mayContinue'] = (_, { count }) => seen.push(count) > 0
    await runSteps(order, cloud([outcome(1), outcome(1), outcome(0)], { mayContinue }).rules)
    expect(seen).toEqual([3, 2, 1])
  })

  it('skip one that asks for what was just refused', async () => {
    const asksForSame = (refused: Step, next: Step) => refused.name === 'a' && next.name === 'b'
    const { rules, asked } = cloud([outcome(0, 'capacity'), outcome(3)], { asksForSame })
    await runSteps(order, rules)
    expect(asked).toEqual(['a 3', 'c 3'])
  })

  it('do not skip one after a step that was not refused', async () => {
    const { rules, asked } = cloud([outcome(1), outcome(2)], { asksForSame: () => true })
    await runSteps(order, rules)
    expect(asked).toEqual(['a 3', 'b 2'])
  })
})

describe('a launch that cannot be prepared', () => {
  it('sends nothing, and counts every VM as missing', async () => {
    const prepare = () => Promise.reject(new Error('no image'))
    const { rules, asked } = cloud([], { prepare })
    const { instances, failures } = await runSteps(order, rules)
    expect([asked, instances]).toEqual([[], []])
    expect(failures).toMatchObject([{ class: 'transient', missing: 3 }])
    expect(failures[0]?.problem.message).toContain('could not prepare the launch of 3 instances in pool gpu')
  })

  it('sends nothing when its request has an error; warnings do not stop it', async () => {
    const steps = [step('a')]
    const warning = problem('REQUEST_METADATA_OPEN', 'open')
    const warned = cloud([outcome(3)], { prepare: async () => ({ steps, problems: [warning] }) })
    expect((await runSteps(order, warned.rules)).failures).toEqual([])
    const error = problem('REQUEST_TAGS_REFUSED', 'too many')
    const refused = cloud([], { prepare: async () => ({ steps, problems: [warning, error] }) })
    expect((await runSteps(order, refused.rules)).failures).toMatchObject([{ missing: 3 }])
    expect(refused.asked).toEqual([])
  })

  it('rejects with the reason when it is aborted before or during the preparation', async () => {
    const stop = new AbortController()
    const prepare = async () => {
      stop.abort(new Error('stopped'))
      throw new Error('cut off')
    }
    const { rules } = cloud([], { prepare })
    await expect(runSteps(order, rules, stop.signal)).rejects.toThrow('stopped')
    const late = cloud([outcome(3)])
    await expect(runSteps(order, late.rules, stop.signal)).rejects.toThrow('stopped')
    expect(late.asked).toEqual([])
  })
})
