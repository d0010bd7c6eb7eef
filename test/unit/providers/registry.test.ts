import { describe, expect, it } from 'vitest'
import { providerKinds } from '../../../src/config/master-config.ts'
import { loadProvider } from '../../../src/providers/registry.ts'

describe('the registry of providers', () => {
  it.each(providerKinds)('has a module for %s', async (kind) => {
    expect(await loadProvider(kind)).toMatchObject({ create: expect.any(Function) })
  })
})
