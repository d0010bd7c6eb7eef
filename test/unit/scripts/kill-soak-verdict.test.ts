// The judge of the soak: whatever must not be, it sees.
import { expect, it } from 'vitest'
import { type Evidence, judge, type Trace } from '../../../scripts/kill-soak/verdict.ts'
import type { JobView } from '../../../src/http/job-view.ts'

const second = (n: number) => new Date(n * 1000).toISOString()

function work(state: JobView['state'], change: Partial<JobView> = {}): JobView {
  return {
    ...{
      id: 't.1',
      task: 't',
      name: 't',
      resourcePool: 'default',
      slots: 1,
      priority: 42,
      state,
      reason: '',
    },
    ...{ submittedAt: second(1), startedAt: second(2), endedAt: second(4) },
    containers: [{ agent: 'a', id: 'c', state: 'TERMINATED', exitCode: null }],
    ...change,
  }
}

const traces = (...lines: string[]): Trace[] =>
  lines.map((line) => {
    const [kind, container = ''] = line.split(' ')
    return { kind: kind as Trace['kind'], task: 't', container }
  })

function verdict(final: JobView | undefined, ran: Trace[], change: Partial<Evidence> = {}) {
  return judge({
    accepted: new Map([['t', { fails: false }]]),
    finals: new Map(final ? [['t', final]] : []),
    changed: [],
    traces: ran,
    kills: new Map([['a', [3000]]]),
    masterEnds: [],
    ...change,
  })
}

const once = traces('began c', 'ended c')
const meantToFail = { accepted: new Map([['t', { fails: true }]]) }

it('finds nothing in work that ran once and is finished', () => {
  expect(verdict(work('finished'), once)).toEqual({
    ...{ finished: 1, failed: 0, lost: 0, ranTwice: 0, missing: 0, violations: [] },
  })
})

it('lets work fail that means to, and be lost with an agent that was killed meanwhile', () => {
  expect(verdict(work('failed'), once, meantToFail)).toMatchObject({ failed: 1, violations: [] })
  expect(verdict(work('lost'), [])).toMatchObject({ lost: 1, violations: [] })
})

it.each([
  ['accepted work without an end', verdict(undefined, []), { missing: 1 }],
  ['a container that ran twice', verdict(work('lost'), [...once, ...once]), { ranTwice: 1 }],
  [
    'a container nobody knows of',
    verdict(work('finished'), [...once, ...traces('began d')]),
    { ranTwice: 1 },
  ],
  ['finished work that never ran', verdict(work('finished'), []), {}],
  ['finished work that did not end', verdict(work('finished'), traces('began c')), {}],
  ['finished work without containers', verdict(work('finished', { containers: [] }), []), {}],
  ['a failure that went unnoticed', verdict(work('finished'), once, meantToFail), {}],
  ['a failure of what does not fail', verdict(work('failed'), once), {}],
  ['a loss without a kill', verdict(work('lost'), once, { kills: new Map([['a', [1000, 5000]]]) }), {}],
  ['an end that nobody ordered', verdict(work('killed'), once), {}],
  ['a second final state', verdict(work('finished'), once, { changed: ['t'] }), {}],
  ['a master that ended by itself', verdict(work('finished'), once, { masterEnds: ['exit status 1'] }), {}],
])('reports %s', (_, found, counts) => {
  expect(found.violations).not.toEqual([])
  expect(found).toMatchObject(counts)
})
