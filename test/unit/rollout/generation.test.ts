// What makes a generation another one beside the keys of a pool: certificates, templates, versions of the program.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gcp } from '../../../src/providers/gcp/definition.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { restamped } from '../../../src/rollout/generation.ts'
import { keysBetween, type LaunchFolder, launchedOf, launchFolder } from '../../support/launched.ts'
import { ownRack } from '../../support/own-provider.ts'
import { joined } from '../../support/shapes/shape.ts'
import type { Issued } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

let folder: LaunchFolder
beforeAll(async () => {
  folder = await launchFolder()
})
afterAll(() => folder.dispose())

const pool = {
  type: 'gcp',
  master_url: 'https://master.example.com:8443',
  project: 'p',
  zone: 'us-central1-a',
  boot_disk_source_image: 'projects/p/global/images/family/f',
  instance_type: { machine_type: 'g2-standard-4' },
}

function write(file: string, ...certificates: Issued[]): string {
  writeFileSync(join(folder.dir, file), joined(certificates))
  return file
}

/** With this chain as the certificate of the master. */
const launchedWith = (cert: string, provider: object = pool) =>
  launchedOf(folder, provider, { security: { tls: { cert, key: 'chain.key' } } })

describe('the certificate of the master', () => {
  const root = authority('root')
  const intermediate = authority('intermediate', { issuer: root })

  it('makes no difference when the leaf is renewed, or the intermediate', async () => {
    const before = await launchedWith(write('first.crt', server(intermediate), intermediate, root))
    const leaf = await launchedWith(write('leaf.crt', server(intermediate), intermediate, root))
    const other = authority('other intermediate', { issuer: root })
    const both = await launchedWith(write('both.crt', server(other), other, root))
    expect(leaf.sha256).not.toBe(before.sha256)
    expect(keysBetween(before, leaf)).toEqual([])
    expect(keysBetween(before, both)).toEqual([])
    expect(both.generation.id).toBe(before.generation.id)
  })

  it('makes instances drifted when its root is another one', async () => {
    const before = await launchedWith(write('first.crt', server(intermediate), intermediate, root))
    const newRoot = authority('new root')
    const below = authority('below', { issuer: newRoot })
    const after = await launchedWith(write('second.crt', server(below), below, newRoot))
    expect(keysBetween(before, after)).toEqual(['TLS_ROOT'])
  })

  it('is its own root when it is self-signed', async () => {
    const [before, after] = [server(), server()]
    const [first, second] = [
      await launchedWith(write('lone.crt', before)),
      await launchedWith(write('alone.crt', after)),
    ]
    expect(keysBetween(first, second)).toEqual(['TLS_ROOT'])
  })

  it('a second root in ca_file counts, also one that is the certificate of a server', async () => {
    const withCas = (...cas: Issued[]) =>
      launchedOf(folder, { ...pool, tls: { ca_file: write('cas.pem', ...cas) } }, { security: {} })
    const one = await withCas(root)
    const two = await withCas(root, authority('next root'))
    const lone = await withCas(root, server())
    expect(keysBetween(one, two)).toEqual(['TLS_ROOT'])
    expect(keysBetween(one, lone)).toContain('TLS_ROOT')
    expect(keysBetween(two, lone)).toContain('TLS_ROOT')
    // Below a root of the file it is no more than what is renewed.
    expect(keysBetween(one, await withCas(root, intermediate))).toEqual([])
  })
})

describe('another version of the program', () => {
  it('with another text of a template, or at another path, makes no difference', async () => {
    const changed = {
      ...gcp,
      partial: { at: 'agent' as const, template: 'export DET_AGENT_ID=$(hostname)\n' },
    }
    const providers = builtInProviders.map((one) => (one.kind === 'gcp' ? changed : one))
    const before = await launchedOf(folder, pool)
    const after = await launchedOf(folder, pool, {}, providers)
    expect(after.sha256).not.toBe(before.sha256)
    expect(after.generation).toEqual(before.generation)
  })
})

describe('a provider from outside', () => {
  it('has its keys counted, without those that locate the pool', async () => {
    const providers = [...builtInProviders, ownRack([])]
    const rack = (more: object) =>
      launchedOf(
        folder,
        { type: 'rack', rack: 'a', master_url: 'https://master.test', ...more },
        {},
        providers,
      )
    const before = await rack({})
    expect(Object.keys(before.generation.keys)).not.toContain('rack')
    expect(keysBetween(before, await rack({ slots_per_vm: 3 }))).toEqual(['slots_per_vm'])
    expect(keysBetween(before, await rack({ max_instances: 9 }))).toEqual([])
  })
})

describe('a journal of another version', () => {
  const generation = (version: number, keys: Record<string, string>) => ({
    id: JSON.stringify([version, keys]),
    version,
    keys,
  })
  const current = generation(0, { image: 'old-a', volume: 'old-b' })
  const present = generation(1, { image: 'new-a', volume: 'new-b', zone: 'new-c' })
  const ids = (keys: Record<string, string>) => ({ version: 1, keys })

  it('is converted: what did not differ then does not differ now', () => {
    expect(restamped(current, current, present)).toMatchObject(ids(present.keys))
  })

  it('keeps what had drifted, and by which keys', () => {
    const image = generation(0, { image: 'older', volume: 'old-b' })
    expect(restamped(image, current, present)).toMatchObject(ids({ ...present.keys, image: 'older' }))
    const none = generation(0, { volume: 'old-b' })
    expect(restamped(none, current, present)?.keys).toEqual({ volume: 'new-b', zone: 'new-c' })
    const more = generation(0, { ...current.keys, tenancy: 'older' })
    expect(restamped(more, current, present)?.keys).toEqual({ ...present.keys, tenancy: 'older' })
  })

  it('has the same id however it was converted', () => {
    const now = generation(1, present.keys)
    const [converted, again] = [1, 2].map(() => restamped(current, current, now))
    expect(converted).toEqual(again)
  })

  it('says nothing where what was current is not known', () => {
    expect(restamped(current, undefined, present)).toBeUndefined()
    expect(restamped(current, present, present)).toBeUndefined()
    expect(restamped(present, undefined, present)).toBe(present)
  })
})
