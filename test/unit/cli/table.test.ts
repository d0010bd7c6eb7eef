import { describe, expect, it } from 'vitest'
import { liveArea, type Picture, watchPicture } from '../../../src/cli/table.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'

const away = new ProvisionError(problem('NOT_RUNNING', 'nobody is there'))
const broken = new ProvisionError(problem('MASTER_FAULT', 'the end'))

/** Polls until the last of these is thrown; returns what was printed. */
async function watched(
  looks: (Picture | Error)[],
  format: 'text' | 'json' = 'text',
  { interactive = false, rows = 24 } = {},
) {
  const printed = { out: '', err: '' }
  const print = (where: 'out' | 'err', text: string) => {
    printed[where] += text
  }
  const terminal: Terminal = {
    out: (text) => print('out', String(text)),
    say: (line) => print('err', `${line}\n`),
    write: (text) => print('err', text),
    style: (_, text) => text,
    interactive,
    columns: () => 80,
    rows: () => rows,
  }
  const error = await watchPicture(
    async () => {
      const next = looks.shift() ?? broken
      if (next instanceof Error) throw next
      return next
    },
    format,
    terminal,
    { now: () => 0, sleep: async () => {} },
  ).catch((error: unknown) => error)
  return { ...printed, error }
}

const picture = (...lines: string[]): Picture => ({ lines, value: lines })

describe('watching', () => {
  it('prints a table again when it has changed', async () => {
    const { out } = await watched([picture('a'), picture('a'), picture('b')])
    expect(out).toBe('a\n\nb\n\n')
  })

  it('prints a line of JSON each time', async () => {
    const { out } = await watched([picture('a'), picture('a')], 'json')
    expect(out).toBe('["a"]\n["a"]\n')
  })

  it('redraws in place on a terminal, with no more lines than fit', async () => {
    const many = picture(...Array.from({ length: 20 }, (_, i) => `line ${i}`))
    const { out, err } = await watched([many], 'text', { interactive: true, rows: 6 })
    expect(out).toBe('')
    expect(err).toBe('line 0\nline 1\nline 2\n… and 17 more lines\n')
  })

  it('waits for a provisioner that is away, and stops at a permanent error', async () => {
    const { out, err, error } = await watched([picture('a'), away, picture('b')])
    expect(out).toBe('a\n\nb\n\n')
    expect(err).toBe('NOT_RUNNING: nobody is there; trying again\n')
    expect(error).toBe(broken)
  })

  it('does not start without a provisioner', async () => {
    const { error } = await watched([away])
    expect(error).toBe(away)
  })
})

describe('the live area', () => {
  function drawn() {
    let text = ''
    const area = liveArea(
      (part) => (text += part),
      () => 10,
    )
    return { area, text: () => text }
  }

  it('redraws in place, and only when something changed', () => {
    const { area, text } = drawn()
    area.draw(['one', 'two'])
    area.draw(['one', 'two'])
    area.draw(['three'])
    expect(text()).toBe('one\ntwo\n\x1b[2A\r\x1b[0Jthree\n')
  })

  it('keeps log lines above the table', () => {
    const { area, text } = drawn()
    area.draw(['table'])
    area.print('agent joined')
    expect(text()).toBe('table\n\x1b[1A\r\x1b[0Jagent joined\ntable\n')
  })

  it('cuts lines at the terminal’s width, so that the next drawing finds its own', () => {
    const { area, text } = drawn()
    area.draw(['0123456789abc'])
    expect(text()).toBe('0123456789\n')
  })
})
