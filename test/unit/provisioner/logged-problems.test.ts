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
