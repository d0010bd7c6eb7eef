// The vectors of Determined's provisioner: each passes, or names the difference that it contradicts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { originVectorsPage } from '../../../scripts/origin-vectors-page.ts'
import { masterAddressOf } from '../../../src/config/master-address.ts'
import { reportProblems } from '../../../src/config/report.ts'
import { masterUrl } from '../../../src/pki/trust-plan.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { parseConfig } from '../../support/config.ts'
import { root } from '../../support/sources.ts'
import { originVectors } from './origin-vectors.cases.ts'

describe("the vectors of Determined's provisioner", () => {
  it.each(originVectors)('$origin: $vector', ({ text, codes = [], config, provider, address }) => {
    const { config: read, problems } = parseConfig(text, 'master.yaml')
    expect(problems.map(({ code }) => code)).toEqual(codes)
    expect(reportProblems(problems)).not.toMatch(/(?:db|script|key)-secret/)
    if (config) expect(read).toMatchObject(config)
    const pool = read?.resource_pools[0]
    if (provider) expect(pool!.provider).toMatchObject(provider)
    if (address)
      expect(masterUrl(masterAddressOf(read!, pool!, { providers: builtInProviders }).address)).toBe(address)
  })

  it('are all in docs/internals/origin-vectors.md (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/internals/origin-vectors.md'), 'utf8')).toBe(originVectorsPage())
  })

  it('differ only with a reason', () => {
    expect(originVectors.filter(({ here, why }) => here !== 'passes' && !why)).toEqual([])
  })
})
