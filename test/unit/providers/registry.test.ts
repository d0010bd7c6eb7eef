import { describe, expect, it } from 'vitest'
import { providerKinds } from '../../../src/model/provider-config.ts'
import { loadProvider } from '../../../src/providers/registry.ts'

describe('the registry of providers', () => {
  it.each(providerKinds)('answers for %s: with a module, or with a reason', async (kind) => {
    const answer = await loadProvider(kind).catch((error: unknown) => error)
    if (kind !== 'gcp') expect(answer).toMatchObject({ create: expect.any(Function) })
    else
      expect(answer).toMatchObject({
        code: 'PROVIDER_UNAVAILABLE',
        problems: [{ message: expect.stringContaining(kind), details: { available: ['aws', 'local'] } }],
      })
  })
})
