import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packUserData, unpackUserData } from '../../../src/agent-setup/pack.ts'
import { agentSetup } from '../../support/agent-setups.ts'

const body = fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text))
const filler = `\n# ${'a'.repeat(300_000)}`

describe('packed user data', () => {
  it.each([
    ['plain', 'aws', ''],
    ['by gzip', 'aws', filler],
    ['by the stub', 'gcp', filler],
  ] as const)('%s is unpacked, from its bytes and from base64', async (_, cloud, more) => {
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const script = `#!/bin/bash\n${text}${more}`
        const { userData } = await packUserData(script, agentSetup({ cloud }))
        const { packed } = userData!
        expect(await unpackUserData(packed)).toBe(script)
        expect(await unpackUserData(Buffer.from(packed).toString('base64'))).toBe(script)
        expect(
          await unpackUserData(`${Buffer.from(packed).toString('base64').replace(/.{76}/g, '$&\n')}\n`),
        ).toBe(script)
      }),
      { numRuns: 10 },
    )
  })
})

describe('input that is not our user data', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello, world')],
    ['other bytes', Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
    ['a damaged archive', gzipSync('#!/bin/sh\n').subarray(0, 20)],
    ['an archive of something else', gzipSync('hello, world')],
    [
      'base64 of base64 of base64 of base64',
      Buffer.from(['', '', '', ''].reduce((text) => Buffer.from(text).toString('base64'), '#!/bin/sh\n')),
    ],
  ])('%s is refused', async (_, bytes) => {
    await expect(unpackUserData(bytes)).rejects.toMatchObject({ code: 'USER_DATA_UNREADABLE' })
  })

  it('a huge archive is refused without unpacking all of it', async () => {
    const bomb = gzipSync(Buffer.alloc(17 * 1024 * 1024))
    await expect(unpackUserData(bomb)).rejects.toThrow(/too large/)
  })
})
