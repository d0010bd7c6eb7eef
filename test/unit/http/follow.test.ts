// Following a job: every line once and in order, every state once, over outages and restarts of the master.
import { describe, expect, it } from 'vitest'
import type { Client } from '../../../src/http/client.ts'
import { followJob } from '../../../src/http/job-client.ts'
import type { JobView } from '../../../src/http/job-view.ts'
import type { Clock } from '../../../src/platform/ports.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'

/** One poll of the master: the state it returns, and all lines it has kept; or no response. */
type Look = { state: string; lines: string[]; count?: number; why?: string } | 'silence'

const clock: Clock = { now: () => 0, sleep: async () => {} }
const silence = () => new ProvisionError(problem('CLIENT_UNREACHABLE', 'connection refused'))

/** Answers the polls one after the other, and repeats the last one. */
function scripted(looks: Look[]): Client {
  let look: Look = 'silence'
  return {
    url: 'http://master',
    meet: async () => {},
    async ask(_, path) {
      const after = Number(/after=(\d+)/.exec(path)?.[1] ?? 0)
      if (!path.includes('/logs')) look = looks.length > 1 ? looks.shift()! : looks[0]!
      if (look === 'silence') throw silence()
      const { state, lines, why, count = lines.length } = look
      const kept = lines.slice(Math.max(0, after - (count - lines.length)))
      const logs = kept.map((text) => ({ containerId: 'c', stream: 'stdout', text }))
      return { status: 200, value: path.includes('/logs') ? { logs, count } : { job: work(state, why) } }
    },
  }
}

function work(state: string, why?: string) {
  const times = { submittedAt: null, startedAt: null, endedAt: null }
  const names = { id: 'w.1', task: 'w', name: 'w', resourcePool: 'default', reason: '', command: ['true'] }
  return { ...names, ...times, slots: 1, priority: 42, state, containers: [], waiting: why && reason(why) }
}

/** Its numbers differ at each poll. */
function reason(code: string) {
  const times = { since: '2026-11-29T10:00:00Z', nextAt: '2026-11-29T10:00:05Z' }
  return { code, meaning: '', numbers: { x: polls++ }, ...times }
}
let polls = 0

async function follow(looks: Look[]) {
  const lines: string[] = []
  const states: string[] = []
  const said: string[] = []
  let silences = 0
  const follower = {
    onLine({ text }: { text: string }) {
      lines.push(text)
      said.push(text)
    },
    onState({ state }: { state: string }) {
      states.push(state)
      said.push(state)
    },
    onSilence: () => void silences++,
  }
  const outcome = followJob(scripted(looks), 'w', follower, clock)
  const ended = await outcome.then(
    ({ state }) => state,
    (error: ProvisionError) => error.code,
  )
  return { ended, lines, states, silences, said }
}

it('passes on each line and each state once, to the last line', async () => {
  const looks: Look[] = [
    { state: 'pending', lines: [] },
    { state: 'running', lines: ['a'] },
    { state: 'running', lines: ['a', 'b'] },
    { state: 'finished', lines: ['a', 'b', 'c'] },
  ]
  expect(await follow(looks)).toEqual({
    ended: 'finished',
    lines: ['a', 'b', 'c'],
    states: ['pending', 'running', 'finished'],
    silences: 0,
    said: ['pending', 'running', 'a', 'b', 'c', 'finished'],
  })
})

it('continues where the master has dropped old lines', async () => {
  const { lines } = await follow([
    { state: 'running', lines: ['a'] },
    { state: 'failed', lines: ['y', 'z'], count: 26 },
  ])
  expect(lines).toEqual(['a', 'y', 'z'])
})

it('gets the lines of a restarted master, which counts from the start', async () => {
  const { lines } = await follow([
    { state: 'running', lines: ['a', 'b', 'c'] },
    { state: 'running', lines: ['d'] },
    { state: 'finished', lines: ['d', 'e'] },
  ])
  expect(lines).toEqual(['a', 'b', 'c', 'd', 'e'])
})

it('survives an outage and reports it once', async () => {
  const outcome = await follow([
    { state: 'running', lines: ['a'] },
    'silence',
    'silence',
    { state: 'lost', lines: ['a'] },
  ])
  expect(outcome).toMatchObject({ ended: 'lost', lines: ['a'], states: ['running', 'lost'], silences: 1 })
})

it('gives up on a master that stays unreachable', async () => {
  expect(await follow([{ state: 'running', lines: [] }, 'silence'])).toMatchObject({
    ended: 'CLIENT_UNREACHABLE',
  })
})

describe('the reason why it waits', () => {
  async function reported(looks: Look[], every: number) {
    const lines: string[] = []
    let now = 0
    const moving: Clock = {
      now: () => now,
      sleep: async () => {
        now += every
      },
    }
    const follower = {
      onLine: () => {},
      onState: ({ state, waiting }: JobView) => void lines.push(waiting?.code ?? state),
      onStillWaiting: ({ waiting }: JobView) => void lines.push(`still ${waiting?.code}`),
      onSilence: () => {},
    }
    await followJob(scripted(looks), 'w', follower, moving)
    return lines
  }
  const waits = (why: string): Look => ({ state: 'pending', lines: [], why })
  const ended: Look = { state: 'finished', lines: [] }

  it('is reported when it changes, not at every poll', async () => {
    const looks = ['A', 'A', 'B', 'B', 'A'].map(waits)
    expect(await reported([...looks, ended], 1000)).toEqual(['A', 'B', 'A', 'finished'])
  })

  it('is repeated once a minute', async () => {
    const looks = Array.from({ length: 10 }, () => waits('A'))
    expect(await reported([...looks, ended], 15_000)).toEqual(['A', 'still A', 'still A', 'finished'])
  })
})
