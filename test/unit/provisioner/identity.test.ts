import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { ensureIdentity, knownClusterId, peekIdentity } from '../../../src/provisioner/state.ts'

const state_dir = mkdtempSync(join(tmpdir(), 'identity-'))
afterEach(() => rmSync(state_dir, { recursive: true, force: true }))
const config = { state_dir } as MasterConfig

describe('who we are', () => {
  it('stays the same over restarts', () => {
    const first = ensureIdentity(config)
    expect(first.clusterId).toMatch(/^[0-9a-f-]{36}$/)
    expect(ensureIdentity(config)).toEqual(first)
    expect(peekIdentity(config)).toEqual(first)
    expect(statSync(join(state_dir, 'cluster-id')).mode & 0o777).toBe(0o600)
  })

  it('takes the cluster id of the configuration', () => {
    expect(ensureIdentity({ ...config, cluster_id: 'prod' }).clusterId).toBe('prod')
  })

  it("is the master's cluster where it has one, and stays that", () => {
    expect(knownClusterId(config)).toBeUndefined()
    expect(ensureIdentity(config, 'of-the-master').clusterId).toBe('of-the-master')
    expect(knownClusterId(config)).toBe('of-the-master')
    expect(ensureIdentity(config, 'of-another').clusterId).toBe('of-the-master')
  })

  it('is not made by a dry run', () => {
    expect(peekIdentity(config)).toEqual({
      clusterId: 'made-on-first-start',
      writerId: 'made-on-first-start',
    })
    expect(statSync(join(state_dir, 'cluster-id'), { throwIfNoEntry: false })).toBeUndefined()
  })
})
