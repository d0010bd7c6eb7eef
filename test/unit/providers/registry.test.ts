import { describe, expect, it } from 'vitest'
import { definitionOf, withProviders } from '../../../src/providers/definition.ts'
import { builtInProviders } from '../../../src/providers/index.ts'

describe('the registry of providers', () => {
  it.each(builtInProviders.map(({ kind }) => kind))('has one that can be opened for %s', (kind) => {
    expect(definitionOf(builtInProviders, { type: kind })).toMatchObject({ open: expect.any(Function) })
  })

  it('has each kind once, and rejects a second one', () => {
    expect(withProviders(builtInProviders)).toEqual(builtInProviders)
    const [first] = builtInProviders
    expect(() => withProviders(builtInProviders, [first!])).toThrow(
      `duplicate provider type "${first!.kind}"`,
    )
  })

  it('reports a block that was read with other providers', () => {
    expect(() => definitionOf([], { type: 'mine' })).toThrow('unknown provider type "mine"')
  })
})
