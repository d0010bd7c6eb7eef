// What is loaded for proofs is loaded when the daemon starts, and not by the first instance that joins.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { lazyVerifier } from '../../../src/providers/join-proof.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../support/first-proof.ts', import.meta.url))
/** Nothing listens there. */
const nowhere = 'http://127.0.0.1:9'

describe('verifiers that are prepared', () => {
  it.each(['aws', 'gcp', 'local'])('load nothing for the first proof: %s', async (provider) => {
    const { stdout } = await run(process.execPath, ['--no-warnings', program, provider], {
      env: {
        ...{ PATH: process.env['PATH'], AWS_ENDPOINT_URL: nowhere, AWS_EC2_METADATA_DISABLED: 'true' },
        ...{ AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' },
      },
    })
    const { byPrepare, byProofs } = JSON.parse(stdout)
    expect(byPrepare.length).toBeGreaterThan(0)
    expect(byProofs).toEqual([])
  })
})

describe('a lazy verifier', () => {
  it('is loaded once, by whichever comes first, and prepares what is in it', async () => {
    const calls: string[] = []
    const lazy = lazyVerifier('word', async () => {
      calls.push('load')
      return {
        kind: 'word',
        verify: async () => void calls.push('verify'),
        prepare: async () => void calls.push('prepare'),
      }
    })
    expect(calls).toEqual([])
    await lazy.prepare!()
    await lazy.verify({} as Parameters<typeof lazy.verify>[0])
    expect(calls).toEqual(['load', 'prepare', 'verify'])
  })

  it('needs nothing to prepare', async () => {
    await lazyVerifier('word', async () => ({ kind: 'word', verify: async () => {} })).prepare!()
  })
})
