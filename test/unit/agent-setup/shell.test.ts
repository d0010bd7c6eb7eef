import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { heredoc, isShellSafe, quote } from '../../../src/agent-setup/shell.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '')),
  fc
    .array(
      fc.constantFrom(
        "'",
        "''",
        '"',
        '\\',
        '`id`',
        '$(id)',
        '$$',
        '\n',
        'END',
        '\nEND\n',
        'END2',
        '\r',
        '\x01',
        '!',
        ' ',
      ),
    )
    .map((parts) => parts.join('')),
)

/** The text that bash reads from this script. */
function bash(script: string): string {
  return execFileSync('bash', { input: script, encoding: 'utf8', maxBuffer: 1 << 26 })
}

describe('a quoted word', () => {
  it('is between single quotes, and escapes single quotes', () => {
    expect(quote('plain')).toBe("'plain'")
    expect(quote("it's")).toBe("'it'\\''s'")
    expect(quote('')).toBe("''")
  })

  it('is read back unchanged by bash, for any text', () => {
    const many = fc.array(text, { minLength: 50, maxLength: 200 })
    fc.assert(
      fc.property(many, (values) => {
        expect(
          bash(`printf '%s\\0' ${values.map(quote).join(' ')}`)
            .split('\0')
            .slice(0, -1),
        ).toEqual(values)
      }),
      { numRuns: 20 },
    )
  })
})

describe('a heredoc', () => {
  it('ends with a word that is not a line of the text', () => {
    expect(heredoc('one\ntwo')).toBe("<<'END'\none\ntwo\nEND")
    expect(heredoc('END\nEND2\n')).toBe("<<'END3'\nEND\nEND2\nEND3")
    expect(heredoc('')).toBe("<<'END'\nEND")
  })

  it('is read back unchanged by bash, with a final line end', () => {
    const many = fc.array(text, { minLength: 50, maxLength: 200 })
    fc.assert(
      fc.property(many, (values) => {
        const script = values.map((value) => `cat ${heredoc(value)}\nprintf '\\0'\n`).join('')
        const expected = values.map((value) => (value === '' || value.endsWith('\n') ? value : `${value}\n`))
        expect(bash(script).split('\0').slice(0, -1)).toEqual(expected)
      }),
      { numRuns: 5 },
    )
  })
})

describe('text that a shell cannot contain', () => {
  it.each([
    ['NUL', 'a\0b'],
    ['a lone high surrogate', 'a\ud83d'],
    ['a lone low surrogate', '\ude80b'],
  ])('%s is refused, and not printed', (_, value) => {
    expect(isShellSafe(value)).toBe(false)
    for (const write of [quote, heredoc])
      expect(() => write(value)).toThrow(expect.objectContaining({ code: 'USER_DATA_TEXT' }))
  })

  it('a complete surrogate pair is accepted', () => {
    expect(quote('🚀')).toBe("'🚀'")
  })
})
