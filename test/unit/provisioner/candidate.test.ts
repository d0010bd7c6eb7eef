import { expect, it } from 'vitest'
import { hashOf } from '../../../src/provisioner/candidate.ts'
import { parseConfig } from '../../support/config.ts'

const text = (most: number) => `
cluster_id: c
security: {tls: {cert: certs/chain.crt, key: certs/key.pem}}
resource_pools: [{pool_name: gpu, provider: {type: local, max_instances: ${most}}}]
`
const hash = (file: string, most = 2) => hashOf(parseConfig(text(most), file).config!)

it('hosts may have the configuration in different folders, and different settings differ', () => {
  expect(hash('/srv/a/master.yaml')).toBe(hash('/srv/b/other.yaml'))
  expect(hash('/srv/a/master.yaml')).toBe(hash('master.yaml'))
  expect(hash('/srv/a/master.yaml', 3)).not.toBe(hash('/srv/a/master.yaml'))
})
