// Codes of a Determined master as the source of demand: why it was not reached, not trusted, or is not used.
import type { CodeInfo } from './code-info.ts'

export const determinedCodes = {
  DETERMINED_UNREACHABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The Determined master does not answer, so nothing is launched or ended.',
    remedy: 'Check demand.url, the master and the network between; it is asked again by itself.',
  },
  DETERMINED_SCHEME: {
    severity: 'error',
    exit: 3,
    meaning: 'The scheme of demand.url is https and the port does not speak TLS, or the other way round.',
    remedy: 'Write https:// or http:// in demand.url, as the master serves.',
  },
  DETERMINED_CERT_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the Determined master is not one that is trusted here.',
    remedy:
      "Name the chain up to its root in security.tls.cert or demand.ca_file, and one of the certificate's names in demand.master_cert_name.",
  },
  DETERMINED_NOT_A_MASTER: {
    severity: 'error',
    exit: 3,
    meaning: 'What answers at demand.url is no Determined master; it was sent no password and no token.',
    remedy: 'Correct demand.url.',
  },
  DETERMINED_LOGIN_FILE: {
    severity: 'error',
    exit: 3,
    meaning: 'The file with the password or the token for the Determined master cannot be used.',
    remedy:
      'Correct demand.password_file or demand.token_file; the user of this process must be able to read it.',
  },
  DETERMINED_LOGIN_FILE_OPEN: {
    severity: 'warning',
    exit: 3,
    meaning: 'Every user of this machine can read the password or the token for the Determined master.',
    remedy: 'Set the mode of the file to 0600.',
  },
  DETERMINED_LOGIN_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The Determined master does not take the user and password, or the token.',
    remedy: 'Correct demand.user and its file, or renew the token; the files are read again at each login.',
  },
  DETERMINED_NOT_PERMITTED: {
    severity: 'error',
    exit: 3,
    meaning: 'The user at the Determined master may not do what is needed.',
    remedy: 'Make it an admin of the cluster, see docs/determined.md.',
  },
  DETERMINED_NOT_ADMIN: {
    severity: 'warning',
    exit: 3,
    meaning: 'The user at the Determined master is no admin: agents cannot be drained, so idle VMs stay.',
    remedy: 'Make it an admin of the cluster, see docs/determined.md.',
  },
  DETERMINED_WORK_HIDDEN: {
    severity: 'error',
    exit: 3,
    meaning: 'The master hides work of the pool from our user, so nobody can tell which agents are idle.',
    remedy: 'Give the user a role that sees every workspace (ClusterAdmin), see docs/determined.md.',
  },
  DETERMINED_POOL_PROVIDED: {
    severity: 'error',
    exit: 3,
    meaning: 'The master launches the agents of this pool itself; two would launch for the same work.',
    remedy: "Remove `provider` from this pool in the master's own configuration, and restart the master.",
  },
  DETERMINED_AGENT_AWAY: {
    severity: 'error',
    exit: 1,
    meaning:
      'An agent could not be drained or enabled, because it has lost its connection or has not started.',
    remedy: 'Nothing to do: it is asked again.',
  },
  DETERMINED_FAULT: {
    severity: 'error',
    exit: 1,
    meaning: 'The Determined master answered, but not with what was asked for.',
    remedy: "Look into the master's log; it is asked again by itself.",
  },
  DETERMINED_PLAIN_HTTP: {
    severity: 'warning',
    exit: 3,
    meaning: 'The password or token for the Determined master crosses a network in plain text.',
    remedy: 'Give the master a certificate, and write https:// in demand.url.',
  },
  PLACEHOLDER_EXPERIMENTAL: {
    severity: 'warning',
    exit: 1,
    meaning:
      'A placeholder agent shows the master slots that are not there. It was never tried on a real master, and work given to it in the moment before it is disabled fails.',
    remedy: 'Set min_instances: 1 and demand.placeholder_agent: false where that must not happen.',
  },
  NO_SCALE_FROM_ZERO: {
    severity: 'warning',
    exit: 1,
    meaning:
      'A Determined master refuses most work that needs slots while a pool without `provider` has no agent.',
    remedy:
      "Set min_instances: 1. With `launch_error: false` in the master's own configuration, experiments wait at zero agents; commands, notebooks and shells with slots are refused all the same.",
  },
} as const satisfies Record<string, CodeInfo>
