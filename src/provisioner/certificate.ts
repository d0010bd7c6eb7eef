// The owner of the master's certificate: reads it, watches its files and passes a renewed one on. If a new one is
// invalid,
// it is reported, and the last valid one stays in effect.
import type { MasterConfig } from '../config/index.ts'
import { loadTlsCredentials, type TlsCredentials } from '../pki/index.ts'
import { type Clock, contentsFingerprint, type Logger, wallTime, watchAndReport } from '../platform/index.ts'
import { isError, type Problem, ProvisionError } from '../problems/index.ts'

export interface MasterCertificate {
  /** Served now, and embedded in new VMs; undefined without TLS. */
  current(): TlsCredentials | undefined
  /** About the first one. */
  warnings: Problem[]
  /**
   * `serve` gets a renewed one first. If it returns a problem, the renewed one is refused and the last valid one stays in effect.
   */
  serveWith(serve: (renewed: TlsCredentials) => Problem | undefined): void
  /** The listener is called with each renewed one once that is served. */
  subscribe(listener: (renewed: TlsCredentials) => void): void
  /** Polls the files until the returned function is called. Without TLS there is nothing to watch. */
  watch(): () => void
}

export interface CertificateOptions {
  config: MasterConfig
  clock: Clock
  logger: Logger
}

/** Reads it. Throws a ProvisionError when it is not usable. */
export function openCertificate({ config, clock, logger }: CertificateOptions): MasterCertificate {
  const files = filesOf(config)
  const load = () => loadMasterCertificate(config, { now: wallTime(clock) })
  // Before the first load, so that no change falls between that and the watch.
  const since = contentsFingerprint(files)
  const first = load()
  if (first.problems.some(isError)) throw new ProvisionError(first.problems)
  let current = first.certificate
  let serve: ((renewed: TlsCredentials) => Problem | undefined) | undefined
  const listeners: ((renewed: TlsCredentials) => void)[] = []

  function onChange(renewed: TlsCredentials): void {
    current = renewed
    logger.info(serve ? 'serving the renewed certificate' : 'the certificate of the master was renewed', {
      file: files[0],
      notAfter: renewed.leaf.x509.validTo,
    })
    for (const listener of listeners) listener(renewed)
  }

  return {
    current: () => current,
    warnings: first.problems,
    serveWith(server) {
      serve = server
    },
    subscribe(listener) {
      listeners.push(listener)
    },
    watch() {
      if (files.length === 0) return () => {}
      return watchAndReport<TlsCredentials>({
        what: 'certificate',
        files,
        since,
        load() {
          const { certificate: contents, problems } = load()
          return { contents, problems }
        },
        clock,
        logger,
        use: (renewed) => serve?.(renewed),
        onChange,
      })
    },
  }
}

/** None without TLS. */
function filesOf(config: MasterConfig): string[] {
  const { tls } = config.security
  return tls ? [tls.cert, ...(tls.key && servesItself(config) ? [tls.key] : [])] : []
}

/** Only a process that serves TLS reads the key. */
function servesItself({ demand }: MasterConfig): boolean {
  return demand.type === 'built-in'
}

export interface LoadCertificateOptions {
  /** Milliseconds since the epoch. */
  now: number
  /** Default: as this process needs it. */
  withKey?: boolean
}

/**
 * `security.tls.cert`, with its key if requested; nothing and no problem when TLS is not configured. `faulty` is one with
 * an error, to look for more of them.
 */
export function loadMasterCertificate(
  config: MasterConfig,
  { now, withKey = servesItself(config) }: LoadCertificateOptions,
): { certificate?: TlsCredentials; faulty?: TlsCredentials; problems: Problem[] } {
  const files = config.security.tls
  if (!files) return { problems: [] }
  const where = { cert: config.locate('security.tls.cert'), key: config.locate('security.tls.key') }
  const names = { certFile: files.cert, keyFile: withKey ? files.key : undefined }
  const { material: certificate, faulty, problems } = loadTlsCredentials(names, { now, where })
  return { certificate, faulty, problems }
}
