// Reading YAML: values as in Determined's parser, and every fault with its location.
import { describe, expect, it } from 'vitest'
import { readYaml } from '../../../src/config/yaml.ts'
import { withoutMark } from './marked.ts'

const parsed = (text: string) => readYaml(text, 'a.yaml').value

describe('values', () => {
  it('reads yes, no, on and off as booleans, but not y, n or quoted words', () => {
    expect(parsed('[yes, No, ON, off, true, FALSE, y, n, "yes", \'off\']')).toEqual([
      ...[true, false, true, false, true, false],
      ...['y', 'n', 'yes', 'off'],
    ])
  })

  it('follows YAML 1.2 for numbers, even if the file declares 1.1', () => {
    expect(parsed('%YAML 1.1\n---\n[0755, 1:30, 0x1f, 1e3, 2024-01-01]')).toEqual([
      ...[755, '1:30', 31, 1000, '2024-01-01'],
    ])
  })

  it('keeps keys as they are written', () => {
    expect(parsed('{on: 1, 8080: 2, true: 3, 0x10: 4, "yes": 5}')).toEqual({
      on: 1,
      8080: 2,
      true: 3,
      '0x10': 4,
      yes: 5,
    })
  })

  it('merges anchors: own keys first, then earlier merges', () => {
    const text = `
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
all:
  <<: [*base, *more]
  a: 0
`
    expect(parsed(text)).toMatchObject({ all: { a: 0, b: 2, c: 4 } })
  })

  it('gives aliases the value of the last anchor before them', () => {
    expect(parsed('[&a 1, *a, &a 2, *a]')).toEqual([1, 1, 2, 2])
  })

  it("handles keys with names of Object's properties", () => {
    const value = parsed('{__proto__: {x: 1}, constructor: 2}') as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  it('is null for an empty text and for a text with comments only', () => {
    expect([parsed(''), parsed('# only words\n'), parsed('---\n...\n')]).toEqual([null, null, null])
  })

  it('still returns the rest when a key is set twice', () => {
    const { value, problems } = readYaml('a: 1\na: 2\nb: 3', 'a.yaml')
    expect(value).toEqual({ a: 1, b: 3 })
    expect(problems.map(({ message }) => message)).toEqual(['"a" is set twice; first in line 1'])
  })
})

describe('faults', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, ➤*c, *c, *c]
e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]`

  it.each([
    ['a tab as indentation', 'a:\n➤\tb: 1', 'YAML_TAB', 'spaces'],
    ['a tab before a list item', 'a:\n➤\t- b', 'YAML_TAB', 'spaces'],
    ['a key set twice', 'a:\n  b: 1\n  ➤b: 2', 'YAML_DUPLICATE_KEY', 'Keep one'],
    ['a mapping inside a value', 'a: ➤b: c', 'YAML_SYNTAX', 'quotes'],
    ['a deeper key below a value', 'a: ➤1\n  b: 2', 'YAML_SYNTAX', 'same indentation'],
    ['a key without colon', '➤key\nb: 1', 'YAML_SYNTAX', '"key: value"'],
    ['an open double quote', 'a: 1\nb: ➤"x\nc: 2\n', 'YAML_SYNTAX', 'Add the missing "'],
    ['an open single quote', "a: ➤'x", 'YAML_SYNTAX', "Add the missing '"],
    ['an open list', 'a: ➤[1, 2\nb: 3', 'YAML_SYNTAX', 'Add the missing ]'],
    ['an open mapping', 'a: ➤{b: 1\n', 'YAML_SYNTAX', 'Add the missing }'],
    ['a reserved character', 'a: ➤@b', 'YAML_SYNTAX', 'quotes'],
    ['a wrong escape', 'a: "➤\\q"', 'YAML_SYNTAX', 'single quotes'],
    ['an unknown alias', 'a: ➤*b', 'YAML_UNKNOWN_ALIAS', '&name'],
    ['an alias of itself', 'a: &a [➤*a]', 'YAML_UNKNOWN_ALIAS', '&name'],
    ['a merge of a number', 'a: 1\n<<: ➤5', 'YAML_MERGE', '*defaults'],
    ['an unknown tag', 'a: ➤!Ref b', 'YAML_TAG', 'Remove the tag'],
    ['a list as key', '? ➤[a]\n: 1', 'YAML_KEY', 'plain word'],
    ['an empty key', '➤: 1', 'YAML_KEY', 'plain word'],
    ['a second document', 'a: 1\n➤---\nb: 1', 'YAML_SEVERAL_DOCUMENTS', '---'],
    ['a NUL byte', 'a: 1\nb: ➤\0', 'YAML_CHARACTER', 'Remove'],
    ['an escaped NUL', 'a: ➤"\\0"', 'YAML_CHARACTER', 'Remove'],
    ['a lone surrogate', 'a: ➤"\\ud800"', 'YAML_CHARACTER', 'Remove'],
    ['a byte order mark inside', 'a: 1\nb: ➤\uFEFF1', 'YAML_CHARACTER', 'Remove'],
    ['a byte order mark at the start', '➤\uFEFFa: 1', 'YAML_BYTE_ORDER_MARK', 'without byte order mark'],
    ['an alias bomb', bomb, 'YAML_TOO_LARGE', 'levels'],
    ['nesting beyond measure', `a: ${'['.repeat(200)}➤[]${']'.repeat(200)}`, 'YAML_TOO_LARGE', 'levels'],
  ])('%s', (_name, marked, code, remedy) => {
    const { text, place } = withoutMark(marked)
    const { problems } = readYaml(text, 'a.yaml')
    expect(problems.map((p) => `${p.where?.line}:${p.where?.column} ${p.code}`)).toEqual([`${place} ${code}`])
    expect(problems[0]!.remedy).toContain(remedy)
  })

  it.each([
    ['brackets', nested(10_000)],
    ['dashes', '- '.repeat(10_000)],
    ['mappings', Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ])('nesting deeper than the stack: %s', (_name, text) => {
    const { value, problems } = readYaml(text, 'a.yaml')
    expect(value).toBeUndefined()
    expect(problems.map(({ code }) => code)).toEqual(['YAML_TOO_LARGE'])
  })

  it('are limited in number', () => {
    expect(readYaml('a: @\n'.repeat(500), 'a.yaml').problems).toHaveLength(10)
  })
})

describe('locations', () => {
  const text = `base: &base
  inner: {x: 1}
pools:
  - name: a
    <<: *base
    empty:
  - name: b
    ref: *base
`
  const { locate, textOf } = readYaml(text, 'a.yaml')
  const placed = (path: (string | number)[], part?: 'key' | 'value') => {
    const { line, column } = locate(path, part)
    return `${line}:${column}`
  }

  it('distinguish values and keys', () => {
    expect(placed(['pools', 1, 'name'])).toBe('7:11')
    expect(placed(['pools', 1, 'name'], 'key')).toBe('7:5')
  })

  it('follow merge keys and aliases to the line to edit', () => {
    expect(placed(['pools', 0, 'inner', 'x'])).toBe('2:14')
    expect(placed(['pools', 1, 'ref', 'inner'], 'key')).toBe('2:3')
  })

  it('are those of the key for an empty value, and of the parent for a missing one', () => {
    expect(placed(['pools', 0, 'empty'])).toBe('6:5')
    expect(placed(['pools', 0, 'missing'])).toBe('4:5')
    expect(placed(['pools', 7])).toBe('3:1')
    expect(locate(['nothing', 'here'])).toEqual({ file: 'a.yaml', path: 'nothing.here' })
  })

  it('give plain values as they are written', () => {
    const { textOf: written } = readYaml('{a: 0.50, b: off, c: "x", d: [007]}', 'a.yaml')
    expect([written(['a']), written(['b']), written(['c']), written(['d', 0])]).toEqual([
      ...['0.50', 'off', undefined, '007'],
    ])
    expect(textOf(['pools'])).toBeUndefined()
  })

  it('count lines that end with CR LF', () => {
    const { problems } = readYaml('a: 1\r\nb: *c\r\n', 'a.yaml')
    expect(problems[0]!.where).toMatchObject({ line: 2, column: 4 })
    expect(problems[0]!.where!.frame).toBe('  1 | a: 1\n> 2 | b: *c\n    |    ^^')
  })
})
