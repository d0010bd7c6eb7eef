// Every key of a pool makes instances drifted, or is known to make none drifted. A new key must be put into the table.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonSchema } from '../../../src/config/json-schema.ts'
import { poolBlock } from '../../../src/config/schema.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { keysBetween, type LaunchFolder, launchedOf, launchFolder } from '../../support/launched.ts'
import { awsKeys, gcpKeys, type Key, type Keys, localKeys, poolKeys } from './keys.cases.ts'

let folder: LaunchFolder
beforeAll(async () => {
  folder = await launchFolder()
})
afterAll(() => folder.dispose())

const master_url = 'https://master.test:8443'
const kinds: Record<string, { keys: Keys; base: object }> = {
  aws: {
    keys: awsKeys,
    base: { type: 'aws', master_url, image: { id: 'ami-0123456789abcdef0' }, instance_type: 'g5.xlarge' },
  },
  gcp: {
    keys: gcpKeys,
    base: {
      type: 'gcp',
      master_url,
      project: 'p',
      zone: 'us-central1-a',
      boot_disk_source_image: 'projects/p/global/images/family/f',
      instance_type: { machine_type: 'g2-standard-4' },
      service_account: { email: 'a@p.iam.gserviceaccount.com' },
    },
  },
  local: { keys: localKeys, base: { type: 'local' } },
}

/** Paths of all keys that have no keys below them. */
function leavesOf(schema: JsonSchema, path = ''): string[] {
  const below = [schema, ...(schema.anyOf ?? [])].flatMap(({ properties, items }) => [
    ...Object.entries(properties ?? {}).flatMap(([key, inner]) =>
      leavesOf(inner as JsonSchema, path ? `${path}.${key}` : key),
    ),
    ...(items ? leavesOf(items as JsonSchema, `${path}[]`).filter((leaf) => leaf !== `${path}[]`) : []),
  ])
  return below.length > 0 ? [...new Set(below)] : [path]
}

const reasonsOf = ({ drifts = [] }: Key) => (typeof drifts === 'string' ? [drifts] : [...drifts])

describe('every type of provider', () => {
  it('is in the table, and so is every key of a pool', () => {
    expect(builtInProviders.map(({ kind }) => kind)).toEqual(Object.keys(kinds))
    expect(Object.keys(poolKeys).sort()).toEqual(Object.keys(poolBlock._zod.def.shape).sort())
  })

  describe.each(Object.entries(kinds))('%s', (kind, { keys, base }) => {
    const definition = builtInProviders.find((one) => one.kind === kind)!

    it('has only keys that are in the table', () => {
      expect(leavesOf(definition.jsonSchema()).sort()).toEqual(Object.keys(keys).sort())
    })

    it.each(Object.entries(keys))('%s', async (path, key) => {
      const { before = {}, after, top, why, instance } = key
      const [from, to] = await Promise.all([
        launchedOf(folder, { ...base, ...before }, top),
        launchedOf(folder, { ...base, ...after }, top),
      ])
      expect(keysBetween(from, to, instance)).toEqual(reasonsOf(key).sort())
      expect(why === undefined, path).toBe(key.drifts !== undefined)
      // And back again.
      expect(keysBetween(from, await launchedOf(folder, { ...base, ...before }, top))).toEqual([])
    })

    it('several changes have the reasons of each', async () => {
      const alone = Object.entries(keys).flatMap(([path, key]) => {
        const [first, second] = Object.keys(key.after)
        // Those that change one key of the base, and no block that another one changes, too.
        const isSimple = first !== undefined && second === undefined && !key.before && !key.top
        return isSimple && path === first ? [key] : []
      })
      expect(alone.length).toBeGreaterThan(15)
      const from = await launchedOf(folder, base)
      await fc.assert(
        fc.asyncProperty(fc.subarray(alone), async (chosen) => {
          const after = Object.assign({}, base, ...chosen.map((key) => key.after))
          const found = new Set(keysBetween(from, await launchedOf(folder, after)))
          expect([...found].sort()).toEqual([...new Set(chosen.flatMap(reasonsOf))].sort())
        }),
        { numRuns: 40, examples: [[[]], [alone]] },
      )
    })
  })
})
