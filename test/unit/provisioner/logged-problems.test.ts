import { expect, it, vi } from 'vitest'
import { tellProblems } from '../../../src/platform/log.ts'
import { problem } from '../../../src/problems/index.ts'

it('the log contains the location of a problem in the file', () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  const where = { file: 'master.yaml', line: 9, column: 5 }
  tellProblems(logger, [problem('CONFIG_MISSING_KEY', 'pool_name is missing', { where })])
  expect(logger.error).toHaveBeenCalledWith(
    'pool_name is missing',
    expect.objectContaining({ code: 'CONFIG_MISSING_KEY', where: 'master.yaml:9:5' }),
  )
})

it('the log contains the setting that names the file with a problem', () => {
  const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  const setting = { file: 'master.yaml', line: 2, column: 9, path: 'security.tls.cert' }
  const where = { file: '/certs/chain.crt', line: 20, setting }
  tellProblems(logger, [problem('TLS_EXPIRED', 'expired', { where })])
  expect(logger.error).toHaveBeenCalledWith(
    'expired',
    expect.objectContaining({
      where: '/certs/chain.crt:20',
      setting: 'security.tls.cert in master.yaml:2:9',
    }),
  )
})
