// Following work: every line once and in order, every state once, over silences and restarts of the master.
import { expect, it } from 'vitest'
import type { Client } from '../../../src/http/client.ts'
import { followJob } from '../../../src/http/job-client.ts'
import type { Clock } from '../../../src/platform/ports.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'

/** One look at the master: the state it tells, and all lines it remembers; or no answer. */
type Look = { state: string; lines: string[]; count?: number } | 'silence'

const clock: Clock = { now: () => 0, sleep: async () => {} }
const silence = () => new ProvisionError(problem('CLIENT_UNREACHABLE', 'connection refused'))

/** Answers the looks one after the other, the last one for ever. */
function scripted(looks: Look[]): Client {
  let look: Look = 'silence'
  return {
    url: 'http://master',
    meet: async () => {},
    async ask(_, path) {
      const after = Number(/after=(\d+)/.exec(path)?.[1] ?? 0)
      if (!path.includes('/logs')) look = looks.length > 1 ? looks.shift()! : looks[0]!
      if (look === 'silence') throw silence()
      const { state, lines, count = lines.length } = look
      const kept = lines.slice(Math.max(0, after - (count - lines.length)))
      const logs = kept.map((text) => ({ containerId: 'c', stream: 'stdout', text }))
      return { status: 200, value: path.includes('/logs') ? { logs, count } : { job: work(state) } }
    },
  }
}

function work(state: string) {
  const times = { submittedAt: null, startedAt: null, endedAt: null }
  const names = { id: 'w.1', task: 'w', name: 'w', resourcePool: 'default', reason: '', command: ['true'] }
  return { ...names, ...times, slots: 1, priority: 42, state, containers: [] }
}

async function follow(looks: Look[]) {
  const lines: string[] = []
  const states: string[] = []
  let silences = 0
  const follower = {
    onLine: ({ text }: { text: string }) => void lines.push(text),
    onState: ({ state }: { state: string }) => void states.push(state),
    onSilence: () => void silences++,
  }
  const outcome = followJob(scripted(looks), 'w', follower, clock)
  const ended = await outcome.then(
    ({ state }) => state,
    (error: ProvisionError) => error.code,
  )
  return { ended, lines, states, silences }
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
  })
})

it('goes on where the master has dropped old lines', async () => {
  const { lines } = await follow([
    { state: 'running', lines: ['a'] },
    { state: 'failed', lines: ['y', 'z'], count: 26 },
  ])
  expect(lines).toEqual(['a', 'y', 'z'])
})

it('hears the lines of a master that was started again and counts anew', async () => {
  const { lines } = await follow([
    { state: 'running', lines: ['a', 'b', 'c'] },
    { state: 'running', lines: ['d'] },
    { state: 'finished', lines: ['d', 'e'] },
  ])
  expect(lines).toEqual(['a', 'b', 'c', 'd', 'e'])
})

it('bears a silence and tells of it once', async () => {
  const outcome = await follow([
    { state: 'running', lines: ['a'] },
    'silence',
    'silence',
    { state: 'lost', lines: ['a'] },
  ])
  expect(outcome).toEqual({ ended: 'lost', lines: ['a'], states: ['running', 'lost'], silences: 1 })
})

it('gives up a master that stays silent', async () => {
  expect(await follow([{ state: 'running', lines: [] }, 'silence'])).toMatchObject({
    ended: 'CLIENT_UNREACHABLE',
  })
})
