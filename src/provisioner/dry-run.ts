// What `provision --dry-run --format json` prints for each pool: a stable shape for programs.
import { masterUrl } from '../pki/master-address.ts'
import type { Problem } from '../problems/problem.ts'
import type { PreparedPool } from './prepare-pool.ts'

export type DryRunPool = ReturnType<typeof dryRunPool>

export function dryRunPool({ pool, setup, userData, request }: PreparedPool, problems: Problem[]) {
  const { trust, master, agentConfig } = setup
  const { problems: _, ...call } = request
  return {
    pool: pool.pool_name,
    provider: pool.provider.type,
    userData: userData.script,
    encoding: userData.encoding,
    packedBase64: Buffer.from(userData.packed).toString('base64'),
    bytes: userData.bytes,
    sha256: userData.sha256,
    tls: {
      enabled: trust.mode !== 'off',
      mode: trust.mode,
      modeReason: trust.modeReason,
      certificateName: trust.certificateName ?? null,
      certificateNameReason: trust.certificateNameReason,
      masterUrl: masterUrl(master),
      masterHost: master.host,
      masterPort: master.port,
      chain: trust.chain.map(({ pem: _pem, ...facts }) => facts),
    },
    agentConfig,
    request: call,
    warnings: problems.map(({ code, message, remedy }) => ({ code, message, remedy })),
  }
}
