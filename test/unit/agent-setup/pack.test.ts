import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { gzip, packUserData } from '../../../src/agent-setup/pack.ts'
import { renderScript } from '../../../src/agent-setup/render.ts'
import type { TrustMode } from '../../../src/pki/trust-plan.ts'
import { agentSetup, type SetupChanges, trustPlan } from '../../support/agent-setups.ts'

/** Text that gzip cannot shrink: base64 needs four bytes for three. */
function noise(bytes: number): string {
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 16
  }
  return Array.from({ length: bytes }, () => String.fromCharCode(33 + (next() % 90))).join('')
}

async function packed(changes: SetupChanges) {
  const setup = agentSetup(changes)
  const { script } = await renderScript(setup, { allowSecrets: true })
  return { script: script!, ...(await packUserData(script!, setup)) }
}

describe('user data', () => {
  it('is the script itself if it fits', async () => {
    const { script, userData } = await packed({})
    expect(userData).toMatchObject({ encoding: 'plain', script })
    expect(Buffer.from(userData!.packed).toString()).toBe(script)
    const bytes = Buffer.byteLength(script)
    expect(userData!.bytes).toEqual({ script: bytes, packed: bytes, limit: 16_384 })
  })

  it('has the hash of its text, packed or not', async () => {
    const { userData } = await packUserData('#!/bin/sh\n', agentSetup())
    expect(userData!.sha256).toBe('a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf')
  })

  it('is compressed on EC2 if it does not fit: cloud-init unpacks gzip', async () => {
    const { script, userData, problems } = await packed({ startupScript: `echo ${'a'.repeat(20_000)}` })
    expect(problems).toEqual([])
    expect(userData!.encoding).toBe('gzip')
    expect(userData!.bytes.packed).toBeLessThan(16_384)
    expect(gunzipSync(userData!.packed).toString()).toBe(script)
  })

  it('is a script that unpacks itself on Compute Engine, which does not unpack user data', async () => {
    const { script, userData } = await packed({ cloud: 'gcp', startupScript: `echo ${'a'.repeat(300_000)}` })
    expect(userData!.encoding).toBe('gzip-stub')
    const [first, second, payload] = Buffer.from(userData!.packed).toString().split('\n')
    expect(first).toBe('#!/bin/bash')
    expect(second).toContain('gunzip')
    expect(gunzipSync(Buffer.from(payload!, 'base64')).toString()).toBe(script)
  })

  it('has no limit for local VMs', async () => {
    const local = { cloud: 'local', runtime: 'process', command: ['x'] } as const
    const { userData } = await packed({ ...local, command: ['x'], startupScript: `# ${noise(500_000)}` })
    expect(userData).toMatchObject({ encoding: 'plain', bytes: { packed: userData!.bytes.script } })
    expect(userData!.bytes.limit).toBeUndefined()
  })

  it('fits at exactly the limit', async () => {
    const setup = agentSetup()
    for (const [bytes, encoding] of [
      [16_384, 'plain'],
      [16_385, 'gzip'],
    ] as const)
      expect((await packUserData('a'.repeat(bytes), setup)).userData?.encoding).toBe(encoding)
  })

  it('counts bytes, not characters', async () => {
    const { userData } = await packUserData('é'.repeat(8_193), agentSetup())
    expect(userData).toMatchObject({ encoding: 'gzip', bytes: { script: 16_386 } })
  })
})

describe('user data over the limit', () => {
  it('is one error, with the bytes of each part, largest first', async () => {
    const { userData, problems } = await packed({
      startupScript: `# ${noise(29_990)}`,
      containerStartupScript: `# ${noise(14_997)}`,
      agentConfig: { image: noise(1000).replaceAll('"', '_').replaceAll('\\', '_') },
    })
    expect(userData).toBeUndefined()
    expect(problems).toHaveLength(1)
    const { code, message, details } = problems[0]!
    expect(code).toBe('USER_DATA_TOO_LARGE')
    const {
      packed: size,
      limit,
      parts,
    } = details as { packed: number; limit: number; parts: Record<string, number> }
    expect(limit).toBe(16_384)
    expect(size).toBeGreaterThan(limit)
    expect(Object.keys(parts)).toEqual([
      'startup_script',
      'container_startup_script',
      'everything else',
      'certificates',
      'agent.yaml',
    ])
    expect(parts).toMatchObject({
      startup_script: 29_993,
      container_startup_script: 15_000,
      certificates: 2_052,
    })
    expect(message).toMatch(/ bytes packed, and aws accepts 16,384; unpacked: startup_script 29,993, /)
  })

  it('includes the base64 of the stub on Compute Engine', async () => {
    const { problems } = await packed({ cloud: 'gcp', startupScript: `# ${noise(300_000)}` })
    expect(problems[0]!.message).toContain('gcp accepts 262,144')
  })
})

describe('compression', () => {
  it('has a header that reveals nothing about the machine', async () => {
    const bytes = await gzip(Buffer.from('x'))
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff])
  })

  it('leaves this many bytes for the default script with a private ECDSA chain of three', async () => {
    const bytes = async (mode: TrustMode) => {
      const { script } = await packed({ trust: trustPlan(mode, 'determined-master.example.com') })
      return (await gzip(Buffer.from(script))).length
    }
    // zlib builds differ by a few bytes from machine to machine.
    expect(await bytes('off')).toBeLessThan(4_150)
    expect(await bytes('embed')).toBeLessThan(6_650)
  })
})
