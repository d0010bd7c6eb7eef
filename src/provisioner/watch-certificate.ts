// A renewed certificate is served and handed to new VMs without a restart; a broken one is reported, and the last good one stays.
import type { MasterConfig } from '../config/master-config.ts'
import { keepsTrust, type TlsMaterial } from '../pki/credentials.ts'
import { tellProblems } from '../platform/log.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { watchAndReport } from '../platform/watch.ts'
import { type Problem, problem } from '../problems/problem.ts'
import { loadMasterMaterial } from './prepare.ts'
import type { PreparedPools } from './prepared-pools.ts'

export interface CertificateWatch {
  config: MasterConfig
  /** Serves it; the problem when it cannot be used. undefined where another process serves the master. */
  serve: ((material: TlsMaterial) => Problem | undefined) | undefined
  pools: PreparedPools
  /** What was served and handed out so far. */
  current: () => TlsMaterial | undefined
  clock: Clock
  logger: Logger
  /** Of the files when they were first loaded, so that no change falls between that and the watch. */
  since: string
  /** New VMs get it from now on. */
  onRenewed: (material: TlsMaterial) => void
}

/** The files to look at; none without TLS. */
export function certificateFiles({ security: { tls }, demand }: MasterConfig): string[] {
  return tls ? [tls.cert, ...(tls.key && demand.type === 'built-in' ? [tls.key] : [])] : []
}

/** Looks until the returned function is called. Without TLS there is nothing to watch. */
export function watchCertificate({
  config,
  serve,
  pools,
  current,
  clock,
  logger,
  since,
  onRenewed,
}: CertificateWatch): () => void {
  const files = certificateFiles(config)
  if (files.length === 0) return () => {}
  const renew = async (material: TlsMaterial) => {
    tellProblems(logger, strandedBy(material, current(), pools))
    tellProblems(logger, await pools.renew(material))
    onRenewed(material)
    logger.info('new VMs get the renewed certificate', { sha256: material.leaf.sha256 })
  }
  return watchAndReport<TlsMaterial>({
    what: 'certificate',
    files,
    since,
    load() {
      const { material: contents, problems } = loadMasterMaterial(config, { now: clock.now() })
      return { contents, problems }
    },
    clock,
    logger,
    use: serve,
    onChange(material) {
      logger.info(serve ? 'serving the renewed certificate' : 'the certificate of the master is renewed', {
        file: files[0],
        notAfter: material.leaf.x509.validTo,
      })
      renew(material).catch((error: unknown) =>
        logger.error('new VMs could not be given the renewed certificate', { error }),
      )
    },
  })
}

/** Agents hold what was embedded when they were launched; before the pools are prepared anew. */
function strandedBy(after: TlsMaterial, before: TlsMaterial | undefined, pools: PreparedPools): Problem[] {
  const stranded = pools.names.filter((pool) => pools.get(pool).setup.trust.mode === 'embed')
  if (!before || stranded.length === 0 || keepsTrust(before, after)) return []
  return [
    problem(
      'TLS_RENEWED_UNDER_OTHER_ROOT',
      `no certificate that running agents hold vouches for the renewed one: agents of ${stranded.join(', ')} that run now cannot connect again`,
    ),
  ]
}
