// For any file, the loader returns a configuration, or errors that have a location and contain no secret.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { commonKeys } from '../../../src/config/provider-keys.ts'
import { reportProblems } from '../../../src/config/report.ts'
import { masterFile, poolBlock } from '../../../src/config/schema.ts'
import { isError, type Problem } from '../../../src/problems/index.ts'
import { awsProvider } from '../../../src/providers/aws/schema.ts'
import { gcpProvider } from '../../../src/providers/gcp/schema.ts'
import { parseConfig } from '../../support/config.ts'
import { aws, gcp, local } from './marked.ts'

function answer(text: string): Problem[] {
  const { config, problems } = parseConfig(text, 'master.yaml', { env: {} })
  expect(problems.some(isError)).toBe(config === undefined)
  for (const { where, remedy, message } of problems) {
    expect(where?.file).toBe('master.yaml')
    expect(remedy && message).toBeTruthy()
    expect(message).not.toContain('undefined')
  }
  expect(reportProblems(problems)).not.toContain('\u001b')
  return problems
}

const runs = { numRuns: 100 }
const words = [
  ...Object.keys(masterFile._zod.def.shape),
  ...Object.keys(poolBlock._zod.def.shape),
  ...Object.keys({ ...commonKeys, ...awsProvider._zod.def.shape, ...gcpProvider._zod.def.shape }),
  ...['type', 'tls', 'cert', 'slots', 'machine_type', 'gpu_num', '__proto__', 'constructor', 'toString', ''],
]
const scalar = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e300,
    'aws',
    'gcp',
    'local',
    'hpc',
    '20m',
    'off',
    'https://m:1',
  ),
  fc.string(),
  fc.integer(),
)
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...words), fc.string()), tie('tree'), { maxKeys: 6 }),
  ),
}))

describe('the loader', () => {
  it('accepts any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void answer(text)),
      runs,
    )
  })

  it('accepts any text made of YAML characters', () => {
    const signs = fc.constantFrom(
      ...'-:[]{}&*!|>#%@"\'\n\t ?,<~aé\0\uFEFF\\'.split(''),
      '\n  ',
      '- ',
      ': ',
      '<<: *a',
    )
    fc.assert(
      fc.property(fc.array(signs, { maxLength: 60 }), (parts) => void answer(parts.join(''))),
      runs,
    )
  })

  it('accepts any tree of our own keys', () => {
    const top = fc.dictionary(fc.constantFrom(...Object.keys(masterFile._zod.def.shape)), tree, {
      maxKeys: 6,
    })
    fc.assert(
      fc.property(top, (value) => void answer(stringify(value))),
      runs,
    )
  })

  it('accepts any value of any key of a provider', () => {
    const keys = Object.keys({ ...commonKeys, ...awsProvider._zod.def.shape, ...gcpProvider._zod.def.shape })
    const block = fc.dictionary(fc.constantFrom(...keys), tree, { maxKeys: 8 })
    const type = fc.constantFrom(aws, gcp, local)
    fc.assert(
      fc.property(type, block, (of, value) => void answer(of(stringify(value)))),
      runs,
    )
  })

  it('handles a line that is cut, repeated or moved', () => {
    const lines = aws(
      `network_interface:\n  public_ip: false\ncustom_tags:\n  - {key: a, value: b}\nstartup_script: |\n  echo a\n  echo b`,
    ).split('\n')
    const place = fc.nat(lines.length - 1)
    fc.assert(
      fc.property(place, place, fc.nat(40), (from, to, length) => {
        const changed = lines.toSpliced(to, 0, lines[from]!.slice(0, length)).toSpliced(from, 1)
        answer(changed.join('\n'))
      }),
      runs,
    )
  })

  it('never prints a password', () => {
    const secret = fc.stringMatching(/^[a-zA-Z0-9]{12}$/)
    fc.assert(
      fc.property(secret, tree, (password, wrong) => {
        const text = `db: {password: ${password}}\n${local(`master_url: https://u:${password}@m\nmax_instances: ${JSON.stringify(wrong)}`)}\nport: x\napi_token: ${password}\n`
        expect(reportProblems(answer(text))).not.toContain(password)
      }),
      runs,
    )
  })
})
