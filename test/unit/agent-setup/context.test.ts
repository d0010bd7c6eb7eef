import { describe, expect, it } from 'vitest'
import {
  contextNames,
  contextOf,
  type NameKind,
  type TemplateContext,
} from '../../../src/agent-setup/templates.ts'
import { agentSetup, machines, trustPlan } from '../../support/agent-setups.ts'

function kinds(context: TemplateContext, prefix = ''): [string, NameKind][] {
  return Object.entries(context).flatMap(([name, value]): [string, NameKind][] => {
    if (Array.isArray(value)) return [[prefix + name, 'list']]
    if (typeof value === 'object') return kinds(value, `${prefix}${name}.`)
    return [[prefix + name, typeof value === 'boolean' ? 'switch' : 'text']]
  })
}

describe('the context of a template', () => {
  it('has exactly the names of the table', () => {
    const declared = Object.entries(contextNames(machines)).map(([name, { kind }]) => [name, kind])
    expect(kinds(contextOf(agentSetup()))).toEqual(declared)
  })

  it('has the verified name in every form', () => {
    const tls = (changes: Parameters<typeof agentSetup>[0]) => contextOf(agentSetup(changes))['tls']
    expect(tls({ trust: trustPlan('embed', 'm.example.com') })).toMatchObject({
      certificateName: 'm.example.com',
      name: 'm.example.com',
      urlName: 'm.example.com',
      nameIsAddress: false,
    })
    expect(tls({ trust: trustPlan('system'), master: { host: 'fd00::5' } })).toMatchObject({
      certificateName: '',
      name: 'fd00::5',
      urlName: '[fd00::5]',
      nameIsAddress: true,
    })
  })
})
