// What `provision check` prints as text.
import { describe, expect, it } from 'vitest'
import { checkLines, countLine } from '../../../src/cli/check.ts'
import { problem } from '../../../src/problems/index.ts'
import { exitOfRows, rowsOf } from '../../../src/provisioner/check-rows.ts'

const { passed, notChecked, of } = rowsOf('pool gpu')
const remedy = 'Give credentials.'
const refused = (what: string) => of(what, problem('PROVIDER_AUTH', `may not ${what}`, { remedy }))
const rows = [
  rowsOf('configuration').passed('master.yaml', '1 pool'),
  passed('user data', '3400 bytes'),
  of('preflight', problem('AGENT_VERSION_DIFFERS', '0.37 is not 0.38', { remedy: 'Change it.' })),
  notChecked('cloud', 'nobody asked'),
  passed('ec2:DescribeSpotInstanceRequests to see spot notices'),
  refused('image'),
  refused('subnet'),
]

describe('the table of a check', () => {
  it('has a block for each subject, and prints a shared remedy once', async () => {
    expect(await checkLines(rows)).toEqual([
      'configuration',
      '  ok       master.yaml  1 pool',
      '',
      'pool gpu',
      '  ok       user data                       3400 bytes',
      '  warning  preflight                       AGENT_VERSION_DIFFERS 0.37 is not 0.38',
      '                                           remedy: Change it.',
      '  -        cloud                           not checked: nobody asked',
      '  ok       ec2:DescribeSpotInstanceRequests to see spot notices',
      '  FAILED   image                           PROVIDER_AUTH may not image',
      '  FAILED   subnet                          PROVIDER_AUTH may not subnet',
      '                                           remedy: Give credentials.',
    ])
  })

  it('counts the results, and omits those with none', () => {
    expect(countLine(rows)).toBe('3 ok, 1 warning, 2 failed, 1 not checked')
    expect(countLine([passed('x')])).toBe('1 ok')
  })
})

describe('the exit status', () => {
  const config = of('x', problem('CONFIG_FILE_MISSING', 'x'))
  it.each([
    ['0 with nothing but warnings and what was not checked', rows.slice(0, 5), 0],
    ['4 when a cloud refuses', rows, 4],
    ['3 when the configuration is refused, whatever else', [...rows, config], 3],
  ])('is %s', (_, given, status) => expect(exitOfRows(given)).toBe(status))
})
