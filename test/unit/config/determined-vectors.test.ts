// Determined's vectors: each passes, or names the correction it contradicts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { determinedVectorsPage } from '../../../scripts/determined-vectors-page.ts'
import { masterAddressOf } from '../../../src/config/master-address.ts'
import { reportProblems } from '../../../src/config/report.ts'
import { masterUrl } from '../../../src/pki/trust-plan.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { parseConfig } from '../../support/config.ts'
import { root } from '../../support/sources.ts'
import { determinedVectors } from './determined-vectors.cases.ts'

describe("Determined's vectors", () => {
  it.each(determinedVectors)('$file: $vector', ({ text, codes = [], config, provider, address }) => {
    const { config: read, problems } = parseConfig(text, 'master.yaml')
    expect(problems.map(({ code }) => code)).toEqual(codes)
    expect(reportProblems(problems)).not.toMatch(/(?:db|script|key)-secret/)
    if (config) expect(read).toMatchObject(config)
    const pool = read?.resource_pools[0]
    if (provider) expect(pool!.provider).toMatchObject(provider)
    if (address)
      expect(masterUrl(masterAddressOf(read!, pool!, { providers: builtInProviders }).address)).toBe(address)
  })

  it('are all in docs/internals/determined-vectors.md (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/internals/determined-vectors.md'), 'utf8')).toBe(
      determinedVectorsPage(),
    )
  })

  it('differ only with a reason', () => {
    expect(determinedVectors.filter(({ here, why }) => here !== 'passes' && !why)).toEqual([])
  })
})
