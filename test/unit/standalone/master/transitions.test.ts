import { describe, expect, it } from 'vitest'
import { isOver } from '../../../../src/http/job-view.ts'
import {
  type Allocation,
  agentGone,
  assigned,
  killed,
  live,
  reattached,
  reported,
  submitted,
  timeUp,
  type Work,
} from '../../../../src/standalone/master/allocation.ts'
import { type ContainerState, failureTypes } from '../../../../src/standalone/protocol/container.ts'

const device = (id: number) => ({ id, brand: 'T4', uuid: `GPU-${id}`, type: 'cuda' as const })
const command: Work = { kind: 'command', argv: ['train'], env: {}, workingDirectory: '' }
const lasting: Work = { kind: 'duration', seconds: 60 }
const exit = (code: number) => ({
  FailureType: failureTypes.containerFailed,
  ErrMsg: 'exited',
  ExitCode: code,
})

/** On agents a and b, one device each; containers c1 and c2. */
function running(work: Work = command): Allocation {
  const fits = [
    { agentId: 'a', devices: [device(0)] },
    { agentId: 'b', devices: [device(0)] },
  ]
  let n = 0
  const pending = submitted({ task: 't', name: 'job', pool: 'p', slots: 2, priority: 42, work }, 1000)
  return assigned(pending, fits, () => `c${++n}`, 2000)
}

const report = (of: Allocation, agent: string, id: string, state: ContainerState, failure = null as never) =>
  reported(of, agent, { id, state }, failure, 3000)
const states = (of: Allocation) => of.containers.map((container) => container.state)

describe('the files of a command', () => {
  const files = [{ path: 'a', type: 48, content: 'YQ==', mode: 0o644, mtime: 0, uid: 0, gid: 0 }]
  const withFiles: Work = { ...command, files }

  it('are kept until its last container has ended', () => {
    const ending = report(running(withFiles), 'a', 'c1', 'TERMINATED', exit(3) as never)
    expect([ending.state, ending.work]).toEqual(['ending', withFiles])
    expect(report(ending, 'b', 'c2', 'TERMINATED').work).toEqual(command)
  })

  it('are dropped however it ends', () => {
    const pending = submitted({ task: 't', name: 'n', pool: 'p', slots: 1, priority: 1, work: withFiles }, 0)
    const lost = agentGone(agentGone(running(withFiles), 'a', 'gone', 9), 'b', 'gone', 9)
    for (const over of [killed(pending, 'killed', 9), lost]) {
      expect(isOver(over)).toBe(true)
      expect(over.work).toEqual(command)
    }
  })
})

it('containers get a token for their output; other commands need none', () => {
  expect(running({ ...command, container: { image: 'a' } }).outputToken).toMatch(/^c\d$/)
  expect(running().outputToken).toBeUndefined()
})

describe('a command', () => {
  it('is assigned, runs, and is finished with its last container', () => {
    let job = running()
    expect(job).toMatchObject({ id: 't.1', state: 'running', startedAt: 2000 })
    expect(states(job)).toEqual(['ASSIGNED', 'ASSIGNED'])
    job = report(job, 'a', 'c1', 'RUNNING')
    job = report(job, 'a', 'c1', 'TERMINATED')
    expect([job.state, job.outcome]).toEqual(['running', undefined])
    job = report(job, 'b', 'c2', 'TERMINATED')
    expect(job).toMatchObject({ state: 'finished', outcome: 'finished', endedAt: 3000 })
  })

  it('fails when one container fails, after the others have ended', () => {
    let job = report(running(), 'b', 'c2', 'TERMINATED', exit(3) as never)
    expect(job).toMatchObject({ state: 'ending', outcome: 'failed', reason: 'b: exited (exit code 3)' })
    expect(live(job).map(({ id }) => id)).toEqual(['c1'])
    job = report(job, 'a', 'c1', 'TERMINATED', exit(137) as never)
    expect(job).toMatchObject({ state: 'failed', reason: 'b: exited (exit code 3)', endedAt: 3000 })
  })

  it('that could not be started has failed', () => {
    const failure = { FailureType: failureTypes.agentError, ErrMsg: 'no such command', ExitCode: null }
    const job = report(running(), 'a', 'c1', 'TERMINATED', failure as never)
    expect(job).toMatchObject({ outcome: 'failed', reason: 'a: no such command' })
  })

  it('is lost when an agent is gone, and not failed because the rest is then killed', () => {
    let job = agentGone(running(), 'a', 'it did not come back', 4000)
    expect(job).toMatchObject({ state: 'ending', outcome: 'lost', reason: 'a: it did not come back' })
    job = report(job, 'b', 'c2', 'TERMINATED', exit(137) as never)
    expect(job.state).toBe('lost')
  })

  it('stays killed, whatever its containers report afterwards', () => {
    let job = killed(running(), 'ordered by a test', 4000)
    expect(job).toMatchObject({ state: 'ending', outcome: 'killed' })
    job = report(report(job, 'a', 'c1', 'TERMINATED', exit(137) as never), 'b', 'c2', 'TERMINATED')
    expect(job).toMatchObject({ state: 'killed', reason: 'ordered by a test' })
  })
})

describe('a duration allocation', () => {
  it('runs as soon as it has agents, and is finished after its duration', () => {
    const job = running(lasting)
    expect(states(job)).toEqual(['RUNNING', 'RUNNING'])
    expect(timeUp(job, 62_000)).toMatchObject({ state: 'finished', endedAt: 62_000 })
  })

  it('is over at once when it is killed or loses an agent: no agent has to be notified', () => {
    expect(killed(running(lasting), 'ordered', 4000)).toMatchObject({ state: 'killed', endedAt: 4000 })
    expect(agentGone(running(lasting), 'a', 'gone', 4000)).toMatchObject({ state: 'lost', endedAt: 4000 })
    expect(live(agentGone(running(lasting), 'a', 'gone', 4000))).toEqual([])
  })

  it('sends nothing to agents', () => {
    expect(reattached(running(lasting), 'a', [], 4000)).toEqual({
      allocation: running(lasting),
      startAgain: [],
    })
  })

  it('a command has no duration', () => {
    expect(timeUp(running(), 62_000).state).toBe('running')
  })
})

describe('reports without effect', () => {
  const job = report(running(), 'a', 'c1', 'RUNNING')
  it.each([
    ['of an unknown container', report(job, 'a', 'c9', 'TERMINATED')],
    ['of a container of another agent', report(job, 'b', 'c1', 'TERMINATED')],
    ['of an earlier state', report(job, 'a', 'c1', 'PULLING')],
    ['of the same state', report(job, 'a', 'c1', 'RUNNING')],
    ['of no state', report(job, 'a', 'c1', '')],
    ['of an agent without containers of it', agentGone(job, 'z', 'gone', 4000)],
  ])('%s', (_, after) => expect(after).toBe(job))

  it('of a finished allocation', () => {
    const over = killed(
      submitted({ task: 't', name: 'n', pool: 'p', slots: 0, priority: 1, work: command }, 1),
      'r',
      2,
    )
    expect(over).toMatchObject({ state: 'killed', endedAt: 2, containers: [] })
    expect(isOver(over)).toBe(true)
    expect(killed(over, 'again', 3)).toBe(over)
    const finished = timeUp(running(lasting), 62_000)
    expect(agentGone(finished, 'a', 'gone', 70_000)).toBe(finished)
    expect(killed(finished, 'late', 70_000)).toBe(finished)
    expect(timeUp(finished, 70_000)).toBe(finished)
  })
})

describe('a returning agent', () => {
  const ack = (id: string, state: ContainerState, failure: string | null = null) => ({
    Container: { id, state, devices: [], description: '' },
    Failure: failure === null ? null : { FailureType: failure, ErrMsg: 'so it is', ExitCode: null },
  })

  it('with its containers resumes', () => {
    const { allocation, startAgain } = reattached(running(), 'a', [ack('c1', 'RUNNING')], 5000)
    expect(states(allocation)).toEqual(['RUNNING', 'ASSIGNED'])
    expect(startAgain).toEqual([])
  })

  it('reports how a container ended in the meantime', () => {
    const ended = reattached(running(), 'a', [ack('c1', 'TERMINATED')], 5000).allocation
    expect(ended.containers[0]).toMatchObject({ state: 'TERMINATED', failure: null })
    const failed = reattached(running(), 'a', [ack('c1', '', failureTypes.containerFailed)], 5000).allocation
    expect(failed).toMatchObject({ outcome: 'failed', reason: 'a: so it is' })
  })

  it.each([
    ['reports it as unknown', [ack('c1', '', failureTypes.restoreError)]],
    ['does not report it', []],
  ])('gets a lost start order again, when it %s', (_, acks) => {
    const { allocation, startAgain } = reattached(running(), 'a', acks, 5000)
    expect(startAgain.map(({ id }) => id)).toEqual(['c1'])
    expect(allocation.state).toBe('running')
  })

  it('gets no start order for an allocation that was killed in the meantime', () => {
    const { allocation, startAgain } = reattached(killed(running(), 'r', 4000), 'a', [], 5000)
    expect(startAgain).toEqual([])
    expect(allocation.containers[0]!.state).toBe('TERMINATED')
  })

  it.each(['PULLING', 'STARTING', 'RUNNING'] as const)(
    'without a container that was %s has lost it',
    (state) => {
      const { allocation, startAgain } = reattached(report(running(), 'a', 'c1', state), 'a', [], 5000)
      expect(startAgain).toEqual([])
      expect(allocation).toMatchObject({ outcome: 'lost', reason: 'a: its agent reconnected without it' })
    },
  )
})
