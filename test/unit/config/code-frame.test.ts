// What is shown of the user's file: enough to find the location, never a secret.
import { describe, expect, it } from 'vitest'
import { codeFrame, isSecretKey, maskLine, shown } from '../../../src/config/report.ts'
import { readYaml } from '../../../src/config/yaml.ts'

const frameOf = (text: string) => readYaml(text, 'a.yaml').problems[0]!.where!.frame!

describe('a code frame', () => {
  it('shows the neighbours and marks the whole value', () => {
    const lines = ['a: 1', 'b: wrong', 'c: 3', 'd: 4']
    expect(codeFrame(lines, { line: 2, column: 4, length: 5 }, () => false)).toBe(
      '  1 | a: 1\n> 2 | b: wrong\n    |    ^^^^^\n  3 | c: 3',
    )
  })

  it('aligns line numbers of two lengths', () => {
    const lines = Array.from({ length: 12 }, (_, i) => `k${i}: 1`)
    expect(codeFrame(lines, { line: 10, column: 1, length: 2 }, () => false)).toBe(
      '   9 | k8: 1\n> 10 | k9: 1\n     | ^^\n  11 | k10: 1',
    )
  })

  it('shows the relevant part of a long line', () => {
    const frame = codeFrame(
      [`a: ${'x'.repeat(300)}HERE${'y'.repeat(300)}`],
      { line: 1, column: 304, length: 4 },
      () => false,
    )
    const [row, marks] = frame.split('\n')
    expect(row!.length).toBeLessThan(120)
    expect(row!.slice(marks!.indexOf('^'), marks!.indexOf('^') + 4)).toBe('HERE')
  })

  it('does not show lines too long to be searched for secrets', () => {
    const frame = codeFrame(
      ['a: 1', `b: ${'x'.repeat(100_000)}`],
      { line: 2, column: 4, length: 9 },
      () => false,
    )
    expect(frame).toBe('  1 | a: 1\n> 2 | (100003 characters)')
  })

  it('omits the contents of scripts, and masks passwords beside the location', () => {
    expect(frameOf('script: |\n  TOKEN=abc\na: *b\npassword: hunter2')).toBe(
      '> 3 | a: *b\n    |    ^^\n  4 | password: ********',
    )
  })

  it('escapes control characters of the file', () => {
    expect(frameOf('a: "\u001b[31m\\q"')).not.toContain('\u001b')
  })
})

describe('masking', () => {
  it.each([
    ['password: hunter2', 'password: ********'],
    ['  - db_password: "a b c"', '  - db_password: ********'],
    ['secret_access_key: x # note', 'secret_access_key: ********'],
    ['{user: u, token: t}', '{user: u, token: ********'],
    ['{"password":"x"}', '{"password":********'],
    ['password_file: /run/secret', 'password_file: /run/secret'],
    ['url: https://bob:pw@host/x', 'url: https://********@host/x'],
    ['url: bob:pw@host', 'url: ********@host'],
    ['email: a@b.example', 'email: a@b.example'],
    ['startup_script: curl -H x', 'startup_script: ********'],
    ['startup_script: |-', 'startup_script: |-'],
    ['note: AKIAABCDEFGHIJKLMNOP here', 'note: ******** here'],
    ['name: tokenizer', 'name: tokenizer'],
  ])('%s', (line, masked) => {
    expect(maskLine(line)).toBe(masked)
  })

  it('shortens values, and hides those of a secret key', () => {
    expect(shown('x'.repeat(100))).toHaveLength(58)
    expect(shown('hunter2', 'password')).toBe('********')
    expect([shown(null), shown([]), shown([1]), shown({}), shown(5), shown('a\u001bb')]).toEqual([
      ...['empty', 'an empty list', 'a list', 'a mapping', '5', '"a\\u001bb"'],
    ])
    expect([isSecretKey('token_file'), isSecretKey('api_key'), isSecretKey('key')]).toEqual([
      false,
      true,
      false,
    ])
  })
})
