// The regions of each AWS partition, as the installed SDK lists them for its endpoints.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

interface Partition {
  id: string
  regions: Record<string, unknown>
}

/** By partition, such as `aws-cn`; without names that stand for a whole partition, such as `aws-global`. */
export function regionsOfSdk(): Record<string, string[]> {
  const require = createRequire(import.meta.url)
  const core = dirname(require.resolve('@aws-sdk/core/package.json'))
  const file = join(core, 'dist-es/submodules/client/util-endpoints/lib/aws/partitions.js')
  const { partitionsInfo } = require(file) as { partitionsInfo: { partitions: Partition[] } }
  const isRegion = (name: string) => !name.endsWith('-global')
  return Object.fromEntries(
    partitionsInfo.partitions.map(({ id, regions }) => [id, Object.keys(regions).filter(isRegion).sort()]),
  )
}
