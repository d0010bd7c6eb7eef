// Responses of servers are shown to people: they must not move the cursor, name the window or reverse the text.
import { describe, expect, it } from 'vitest'
import { checkLines } from '../../../src/cli/check.ts'
import { orphanLines, statusLines } from '../../../src/cli/fleet-text.ts'
import { jobLines, jobTable, stateSentence } from '../../../src/cli/jobs-text.ts'
import { table } from '../../../src/cli/table.ts'
import { printJson, sayProblems, type Terminal } from '../../../src/cli/terminal.ts'
import type { JobView } from '../../../src/http/job-view.ts'
import { problem } from '../../../src/problems/index.ts'

const evil = '\x1b]0;x\x07\x1b[2J\u009b2J\u202e'
const said = { code: evil, severity: 'error', message: evil, remedy: evil } as const

const status = {
  version: evil,
  clusterId: evil,
  demand: evil,
  startedAt: 0,
  now: 0,
  problems: [said],
  pools: [{ pool: evil, provider: evil, state: 'failed' as const, problems: [said] }],
}

const work: JobView = {
  id: evil,
  task: evil,
  name: evil,
  resourcePool: evil,
  slots: 1,
  priority: 1,
  state: 'running',
  reason: evil,
  duration: evil,
  command: [evil],
  submittedAt: evil,
  startedAt: evil,
  endedAt: evil,
  containers: [{ id: 'c', agent: evil, slots: [0], state: 'RUNNING' }],
} as JobView

function spoken(say: (terminal: Terminal) => void): string[] {
  const lines: string[] = []
  const keep = (text: string | Uint8Array) => void lines.push(...String(text).split('\n'))
  const common = { interactive: true, columns: () => 80, rows: () => 24 }
  say({ out: keep, say: keep, write: keep, style: (_, text) => text, ...common })
  return lines
}

describe('a response of a server is only text', () => {
  it.each([
    ['a table', () => table(['A'], [[evil]])],
    ['the status', () => statusLines(status as never)],
    ['orphans', () => orphanLines({ orphans: [], problems: [said] }, 0)],
    ['the list of work', () => jobTable([work])],
    ['one job', () => jobLines(work, 0)],
    ['a change of work', () => [stateSentence(work), stateSentence({ ...work, state: 'pending' })]],
    ['a check', () => checkLines([{ subject: evil, what: evil, result: 'passed', note: evil }] as never)],
    ['JSON', () => spoken((terminal) => printJson(terminal, said))],
    [
      'a problem',
      () => spoken((terminal) => sayProblems(terminal, [problem('MASTER_FAULT', evil, { remedy: evil })])),
    ],
  ])('%s', async (_, print) => {
    const lines = await print()
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(line).toMatch(/^[^\p{Cc}\p{Cf}]*$/u)
  })

  it('JSON stays unchanged', () => {
    expect(JSON.parse(spoken((terminal) => printJson(terminal, said)).join('\n'))).toEqual(said)
  })
})
