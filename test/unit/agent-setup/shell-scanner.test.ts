import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { placeIn, scanShell, startOfScript } from '../../../src/agent-setup/shell.ts'

function place(text: string): string | undefined {
  return placeIn(scanShell(startOfScript(), text))
}

describe('after', () => {
  it.each([
    ['', undefined],
    ['a "b', 'double quotes'],
    ['a "b"', undefined],
    ["a 'b", 'single quotes'],
    [`a "it's`, 'double quotes'],
    [`a 'say "`, 'single quotes'],
    ['a \\"', undefined],
    ['a "\\"', 'double quotes'],
    ["a 'b\\'", undefined],
    ['a "$(b "c', 'double quotes'],
    ['a "$(b "c"', 'a command substitution'],
    ['a "$(b "c")"', undefined],
    [`a \${b`, 'an expansion'],
    [`a \${b:-'}'`, 'an expansion'],
    [`a \${#b[@]}`, undefined],
    [`a \${b#x}`, undefined],
    ['a $# b', undefined],
    ['a#b "', 'double quotes'],
    ['a # it\'s "\n', undefined],
    ['a # b', 'a comment'],
    ['a $((1 << 2', 'arithmetic'],
    ['((a << 2))\n', undefined],
    ['a `b', 'backquotes'],
    ['a=(b', 'parentheses'],
    ['f() { b; }', undefined],
    ['case x in a) b ;; esac', undefined],
    ['a <<<"b', 'double quotes'],
    ['a <<< b\n', undefined],
    ['a <<E', undefined],
    ['a <<E\nb', 'a heredoc'],
    ["a <<'E F'\n", undefined],
    ['a <<E\nb\n E\n', 'a heredoc'],
    ['a <<E\n"\nE\n', undefined],
    ['a <<-E\n\t\tE\n', undefined],
    ['a <<\\E\n$(\nE\n', undefined],
    ['a <<E <<F\nE\n', 'a heredoc'],
    ['a <<E <<F\nE\nF\n', undefined],
    ['$(a <<E\nb\nE\n', 'a command substitution'],
    ['a <<E "\n', 'double quotes'],
  ])('%j', (text, expected) => {
    expect(place(text)).toBe(expected)
  })
})

it('does not depend on where the text is cut', () => {
  const script = `a "it's $(b 'c')" # no\ncat <<'X'\n'"\nX\nd=\${e:-f}\n`
  const cuts = Array.from(
    { length: script.length },
    (_, at) => [script.slice(0, at), script.slice(at)] as const,
  )
  const whole = scanShell(startOfScript(), script)
  const clean = cuts.filter(([before]) => !/[$<(\\]$|<<'?X?'?$/.test(before))
  for (const [before, after] of clean)
    expect(scanShell(scanShell(startOfScript(), before), after)).toEqual(whole)
  expect(whole.places).toEqual([])
})

it('agrees with bash about complete scripts: bash can parse a script that ends at the top level', () => {
  for (const script of [
    'a "b"',
    'a "b',
    "a 'b",
    'a $(b',
    `a \${b`,
    'a `b',
    'a=(b',
    'a "$(b "c")"',
    'a $((1))',
  ])
    expect({ script, whole: place(script) === undefined }).toEqual({ script, whole: bashReads(script) })
})

function bashReads(script: string): boolean {
  try {
    execFileSync('bash', ['-n'], { input: script, stdio: ['pipe', 'ignore', 'ignore'] })
    return true
  } catch {
    return false
  }
}
