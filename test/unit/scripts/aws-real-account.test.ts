// Nothing is launched in a real account by mistake, nor for more money than was said.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { accountOptions } from '../../../scripts/aws-real-account/options.ts'

const folder = mkdtempSync(join(tmpdir(), 'trial-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'master.yaml')
const pool = (name: string, type: string) =>
  `  - pool_name: ${name}\n    provider: {${type}, max_instances: 1}\n`
const aws = 'type: aws, region: us-west-2, image: {id: ami-0123456789abcdef0}, master_url: "http://m.test"'
writeFileSync(
  file,
  `resource_pools:\n${pool('one', aws)}${pool('two', aws)}${pool('here', 'type: local, slots: 1')}`,
)
const joining = join(folder, 'joining.yaml')
writeFileSync(joining, `resource_pools:\n${pool('one', `${aws}, join: required`)}`)

const good = ['--pool', 'one', '--yes-spend-money', '--max-dollars', '2', '--price', '3', '--minutes', '10']
const options = (...args: string[]) => accountOptions(['-c', file, ...args])

it('knows what it may cost at worst: four VMs for all the minutes', () => {
  expect(options(...good)).toMatchObject({ worstCase: 2, minutes: 10, pool: { pool_name: 'one' } })
})

it('launches one more VM for a pool with `join: required`', () => {
  expect(accountOptions(['-c', joining, ...good.slice(2), '--max-dollars', '2.5'])).toMatchObject({
    worstCase: 2.5,
  })
  expect(() => accountOptions(['-c', joining, ...good.slice(2)])).toThrow(
    '5 VMs for 10 minutes may cost 2.50',
  )
})

it.each([
  ['without the flag', good.filter((arg) => arg !== '--yes-spend-money'), /say so with --yes-spend-money/],
  [
    'for more than the ceiling',
    [...good, '--price', '3.01'],
    /may cost 2\.01 dollars, and --max-dollars is 2/,
  ],
  ['without a ceiling', good.filter((_, n) => n < 3 || n > 4), /--max-dollars is missing/],
  ['without a price', [...good, '--price', 'cheap'], /--price is missing or no number/],
  ['for no time', [...good, '--minutes', '0'], /--minutes is missing or no number above 0/],
  ['with a pool to choose', good.slice(2), /choose one with --pool: one, two/],
  ['for a pool of another kind', [...good, '--pool', 'here'], /no such pool on AWS/],
  ['for a file with mistakes', [...good, '-c', join(folder, 'none.yaml')], /CONFIG_/],
])('does not start %s', (_, args, message) => {
  expect(() => options(...args)).toThrow(message)
})
