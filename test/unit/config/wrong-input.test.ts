// Every rule: its code, its location, and a helpful remedy.
import { describe, expect, it } from 'vitest'
import { configKeyCodes, configProviderCodes } from '../../../src/problems/config-codes.ts'
import { problemsOf, withoutMark } from './marked.ts'
import { wrongJoin } from './wrong-join.cases.ts'
import { wrongKeys } from './wrong-keys.cases.ts'
import { wrongNames } from './wrong-names.cases.ts'
import { wrongRollouts } from './wrong-rollout.cases.ts'
import { wrongRules } from './wrong-rules.cases.ts'
import { wrongState } from './wrong-state.cases.ts'

const all = [...wrongJoin, ...wrongKeys, ...wrongNames, ...wrongRollouts, ...wrongRules, ...wrongState]

describe('wrong input', () => {
  it.each(all)('$code: $rule', ({ text: marked, code, remedy }) => {
    const { text, place } = withoutMark(marked)
    const problems = problemsOf(text)
    expect(problems.map((p) => `${p.where?.line}:${p.where?.column} ${p.code}`)).toEqual([`${place} ${code}`])
    expect(problems[0]!.remedy).toContain(remedy)
    expect(problems[0]!.where!.frame).toMatch(/^> /m)
  })

  it('has a case for every code about keys and providers', () => {
    // Codes that other tests cover: the environment, the whole file, the state folder, those of masterAddressOf,
    // and those that only validate reports.
    const elsewhere = [
      'CLUSTER_ID_MISSING',
      'CONFIG_ENVIRONMENT',
      'CONFIG_NOT_A_MAPPING',
      'CONFIG_UNUSUAL_ID',
      'MASTER_HOST_ALIAS',
      'MASTER_PORT_ASSUMED',
      'MASTER_URL_ONE_HOST',
    ]
    const codes = Object.keys({ ...configKeyCodes, ...configProviderCodes })
    const covered = new Set<string>([...all.map(({ code }) => code), ...elsewhere])
    expect(codes.filter((code) => !covered.has(code))).toEqual([])
  })
})
