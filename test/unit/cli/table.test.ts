import { describe, expect, it } from 'vitest'
import { liveArea } from '../../../src/cli/live-area.ts'
import { type Picture, table, watchPicture } from '../../../src/cli/table.ts'
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

describe('a table', () => {
  it('aligns wide characters, accents and emoji as a terminal shows them', async () => {
    const rows = [
      ['plain', '1'],
      ['实验', '2'],
      ['한국어', '3'],
      ['cafe\u0301', '4'],
      ['👩‍👩‍👧', '5'],
      ['🇨🇭', '6'],
      ['❤️', '7'],
    ]
    expect(await table(['NAME', 'N'], rows)).toEqual([
      'NAME    N',
      'plain   1',
      '实验    2',
      '한국어  3',
      'cafe\u0301    4',
      '👩‍👩‍👧      5',
      '🇨🇭      6',
      '❤️      7',
    ])
  })
})

describe('the live area', () => {
  const erased = (rows: number) => '\x1b[1A\x1b[2K'.repeat(rows)
  function drawn() {
    const terminal = { text: '', columns: 10, rows: 24 }
    const area = liveArea(
      (part) => (terminal.text += part),
      () => terminal.columns,
      () => terminal.rows,
    )
    return { area, terminal, text: () => terminal.text }
  }

  it('redraws in place, and only when something changed', () => {
    const { area, text } = drawn()
    area.draw(['one', 'two'])
    area.draw(['one', 'two'])
    area.draw(['three'])
    expect(text()).toBe(`one\ntwo\n${erased(2)}three\n`)
  })

  it('keeps log lines above the table', () => {
    const { area, text } = drawn()
    area.draw(['table'])
    area.print('agent joined')
    expect(text()).toBe(`table\n${erased(1)}agent joined\ntable\n`)
  })

  it.each([
    ['letters', '0123456789abc', '012345678…'],
    ['wide characters', '0一二三四五', '0一二三四…'],
    ['half a wide character', '一二三四五六', '一二三四…'],
    ['emoji', '👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', '👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧…'],
    ['nothing that fits', '一二三四五', '一二三四五'],
  ])(
    'cuts %s at the terminal’s width, with a mark, so that the next drawing finds its own',
    (_, line, cut) => {
      const { area, text } = drawn()
      area.draw([line])
      expect(text()).toBe(`${cut}\n`)
    },
  )

  it('erases the rows into which a narrower terminal has broken its lines', () => {
    const { area, terminal, text } = drawn()
    area.draw(['0123456789', '', '一二三'])
    terminal.text = ''
    terminal.columns = 4
    area.resize()
    expect(text()).toBe(`${erased(6)}012…\n\n一…\n`)
    terminal.text = ''
    terminal.columns = 20
    area.resize()
    expect(text()).toBe(`${erased(3)}0123456789\n\n一二三\n`)
  })

  it('shows no more lines than the terminal has rows now, since it could not erase the others', () => {
    const { area, terminal, text } = drawn()
    terminal.columns = 40
    const lines = Array.from({ length: 9 }, (_, n) => `line ${n}`)
    const short = 'line 0\nline 1\n… and 7 more lines\n'
    area.draw(lines)
    terminal.text = ''
    terminal.rows = 5
    area.resize()
    expect(text()).toBe(`${erased(9)}${short}`)
    terminal.text = ''
    area.print('log')
    area.draw([...lines, 'line 9'])
    expect(text()).toBe(`${erased(3)}log\n${short}${erased(3)}${short.replace('7', '8')}`)
    terminal.text = ''
    terminal.rows = 24
    area.resize()
    expect(text()).toBe(`${erased(3)}${lines.join('\n')}\nline 9\n`)
  })

  it('draws nothing after its end', () => {
    const { area, text } = drawn()
    area.draw(['table'])
    area.close()
    area.resize()
    expect(text()).toBe('table\n')
  })
})
