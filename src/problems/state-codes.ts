// Codes of the state in a database, and of moving it.
import type { CodeInfo } from './code-info.ts'

export const stateCodes = {
  STATE_URL_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'The address of the state database cannot be used.',
    remedy:
      'Write `postgresql://user@host:5432/database` into state.url, or into the file of state.url_file.',
  },
  STATE_UNREACHABLE: {
    severity: 'error',
    exit: 1,
    meaning:
      'The state database does not answer, or cannot write. Until it can, nothing is launched or terminated; agents and their jobs are not affected.',
    remedy: 'Start the database, or restore the connection; the provisioner resumes by itself.',
  },
  STATE_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The state database refuses this user, or its certificate cannot be verified.',
    remedy: 'Correct the user, the password, its rights or the CA certificates; the message has the reason.',
  },
  STATE_UNSUITABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The state database is too old, or its encoding is not UTF8.',
    remedy:
      'Use PostgreSQL 12 or newer, and a database that was created with `createdb -E UTF8 -T template0 NAME`.',
  },
  STATE_UNENCRYPTED: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The connection to the state database is not encrypted, or its certificate is not verified, as the address asks for.',
    remedy: 'Remove sslmode from the address, and name the CA of the database with state.ca_file.',
  },
  STATE_SCHEMA_NEWER: {
    severity: 'error',
    exit: 1,
    meaning:
      'A newer version of the provisioner has changed the tables of the state, and this version cannot use them.',
    remedy: 'Install the newer version, or run `provision state migrate --back` with it.',
  },
  STATE_RIGHT_LOST: {
    severity: 'error',
    exit: 1,
    meaning:
      'The right of this process to write is over: it was not renewed in time, or another process has taken it over.',
    remedy:
      'Nothing is needed while another provisioner leads. Otherwise see why this one could not renew it: STATE_UNREACHABLE, or a machine that was suspended.',
  },
  CONFIG_DIFFERS: {
    severity: 'warning',
    exit: 1,
    meaning: 'Two provisioners of the cluster run with different configurations.',
    remedy:
      'Bring the same configuration to every host. Meanwhile each pool is led only by hosts that have it, with the settings of its leader.',
  },
  STATE_READ_ONLY: {
    severity: 'error',
    exit: 1,
    meaning:
      'The state database answers, but cannot be written: it is a standby, or read-only. Until it can be, nothing is launched or terminated.',
    remedy:
      'Let the address lead to the primary: a virtual address, a proxy or a DNS name; or promote the standby. The provisioner resumes by itself.',
  },
  STATE_COMMITS_LOST: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The state database has gone back to an earlier moment: a standby was promoted, or a dump, a disk or a point in time was restored. What was written last may be missing, so nothing is launched until two complete listings, a minute apart, have shown what exists.',
    remedy:
      'Wait a minute. Look at `provision jobs`, drains and pauses of the last moments before: orders that were lost must be given again.',
  },
  STATE_MAY_LOSE_COMMITS: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The settings of the state database allow that writes which it has confirmed are lost when it fails; each loss stops launches for a minute.',
    remedy:
      'Set synchronous_standby_names to the standbys that may be promoted, and leave synchronous_commit and fsync on.',
  },
  STATE_COPY_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'The state was not copied, because there is nothing to copy, or something to overwrite.',
    remedy: 'Name an empty target, and the place where the state is.',
  },
  STATE_COPY_DIFFERS: {
    severity: 'error',
    exit: 1,
    meaning: 'What was read back from the copy is not what was written.',
    remedy: 'Do not use the copy. The source is unchanged.',
  },
} as const satisfies Record<string, CodeInfo>
