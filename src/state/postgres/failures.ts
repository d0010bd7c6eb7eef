// What a failed call to the database means: it may pass by itself, or a person must do something.
import type { Logger } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'

/** Of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html): a person must act. */
const refusals: Record<string, string> = {
  '28000': 'Let the user connect: pg_hba.conf decides who may, and how.',
  '28P01': 'Correct the password in the address, in its file, or in PGPASSWORD.',
  '3D000': 'Create the database: `createdb -E UTF8 -T template0 NAME`.',
  '42501': 'Grant the right: the user needs CREATE on the database, or must own the schema.',
  '3F000': 'Grant CREATE on the database, so that the schema can be created.',
}

/** A standby, or a primary whose default_transaction_read_only is on. */
const readOnly = '25006'

/** OpenSSL's and Node's, while the certificate of the server is verified. */
const untrusted =
  /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|ERR_OSSL|HOSTNAME_MISMATCH|PATH_LENGTH|INVALID_CA|INVALID_PURPOSE/

const tlsRemedy =
  'Name the CA of the database with state.ca_file, and the host as in its certificate. sslmode=no-verify in the address switches verification off.'

/** @param server as people know it, without the password */
export function failureOf(error: unknown, server: string): ProvisionError {
  if (error instanceof ProvisionError) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  const why = `${server}: ${reasonOf(cause)}${code ? ` (${code})` : ''}`
  if (code === readOnly) return new ProvisionError(problem('STATE_READ_ONLY', why, { cause }))
  const remedy = refusals[code]
  if (remedy !== undefined) return new ProvisionError(problem('STATE_REFUSED', why, { remedy, cause }))
  if (untrusted.test(code) || /does not support SSL/.test(cause.message))
    return new ProvisionError(problem('STATE_REFUSED', why, { remedy: tlsRemedy, cause }))
  return new ProvisionError(problem('STATE_UNREACHABLE', why, { cause }))
}

/** A refused connection to a name with several addresses has a reason for each, and no message. */
function reasonOf(error: Error): string {
  if (error.message) return error.message
  const inner = error instanceof AggregateError ? error.errors : []
  return inner.map((one) => (one instanceof Error ? one.message : String(one))).join('; ') || error.name
}

// Whether the database answers, as the renewals of rights show it: reported once when that changes.

export interface Faults {
  /** Why nothing can be written now. */
  current(): Problem | undefined
  /** After each renewal; undefined when it succeeded. */
  note(found: Problem | undefined): void
}

export function createFaults(logger: Logger): Faults {
  let fault: Problem | undefined
  return {
    current: () => fault,
    note(found) {
      if (found && found.message !== fault?.message)
        logger.error('the state cannot be written; nothing is launched or terminated until it can', {
          code: found.code,
          why: found.message,
        })
      if (!found && fault) logger.info('the state can be written again')
      fault = found
    },
  }
}
