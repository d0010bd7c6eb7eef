import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { agentYaml, normalizeScript } from '../../../src/agent-setup/templates.ts'

describe("a user's script", () => {
  it.each([
    ['CRLF line ends', '#!/bin/bash\r\necho a\r\n', '#!/bin/bash\necho a\n'],
    ['a byte order mark', '\uFEFF#!/bin/bash\necho a\n', '#!/bin/bash\necho a\n'],
    ['a byte order mark and no #!', '\uFEFFecho a\n', 'echo a\n'],
    ['blank lines before #!', '\n  \n#!/bin/sh\n', '#!/bin/sh\n'],
    ['all of them', '\uFEFF\r\n\r\n#!/bin/sh\r\ntrue', '#!/bin/sh\ntrue\n'],
    ['no final line end', 'true', 'true\n'],
    ['several final line ends', 'true\n\n\n', 'true\n'],
    ['only blanks', ' \r\n\t\n', ''],
  ])('with %s is normalized', (_, text, expected) => {
    expect(normalizeScript(text)).toBe(expected)
  })

  it('keeps its other blanks', () => {
    expect(normalizeScript('\n  echo " a "\t\n')).toBe('\n  echo " a "\t\n')
    expect(normalizeScript('printf "a\rb"')).toBe('printf "a\rb"\n')
  })
})

describe('agent.yaml', () => {
  it('is readable JSON', () => {
    expect(agentYaml({ security: { tls: { enabled: true } } })).toBe(
      '{\n  "security": {\n    "tls": {\n      "enabled": true\n    }\n  }\n}\n',
    )
  })

  it('has the same meaning for YAML and JSON readers', () => {
    const odd = fc.constantFrom(
      '\x7f',
      '\x85',
      '\u2028',
      '\u2029',
      '\ufeff',
      '\uffff',
      '\t',
      '\0',
      '🚀',
      ': ',
      '#',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(odd).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(fc.dictionary(text, text, { noNullPrototype: true }), (config) => {
        expect(JSON.parse(agentYaml(config))).toEqual(config)
        for (const version of ['1.1', '1.2'] as const)
          expect(parse(agentYaml(config), { version })).toEqual(config)
      }),
    )
  })

  it('has no character that YAML treats as unprintable', () => {
    expect(agentYaml({ '\u2028': '\x80\ufeff' })).toBe('{\n  "\\u2028": "\\u0080\\ufeff"\n}\n')
  })
})
