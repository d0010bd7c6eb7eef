// Codes of agents that did not join, and of the listener and the master they join.
import type { CodeInfo } from './code-info.ts'

export const joinCodes = {
  AGENT_DIAL_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'An agent got no connection to its master, or no trust in it.',
    remedy:
      'Check address, port and firewall, and that the certificate the agent was given is of the CA the master uses.',
  },
  AGENT_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'A master answered an agent that wanted to join, and said no.',
    remedy: 'Read the answer: it names the pool, the id or the certificate at fault.',
  },
  CERTIFICATE_NOT_SERVED: {
    severity: 'error',
    exit: 3,
    meaning:
      'A certificate and key cannot be used by the TLS listener; while it serves, it keeps the pair it has.',
    remedy: 'Name a PEM certificate chain, server certificate first, and the unencrypted key made with it.',
  },
  JOURNAL_SET_ASIDE: {
    severity: 'warning',
    exit: 1,
    meaning: 'A state file was torn, altered or not ours; it was kept under another name.',
    remedy:
      'Look at the file that was kept; after a crash a torn last record is normal and nothing was promised by it.',
  },
  JOURNAL_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'A state file cannot be read or written.',
    remedy: 'Check the disk, and that state_dir belongs to the user this runs as.',
  },
  LISTEN_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'The operating system refused to listen on the configured address and port.',
    remedy: 'Read the error it gave.',
  },
  LISTEN_NOT_PERMITTED: {
    severity: 'error',
    exit: 1,
    meaning: 'This user may not listen on the configured port.',
    remedy: 'Configure a port of 1024 or above, such as 8443.',
  },
  LISTEN_NO_SUCH_ADDRESS: {
    severity: 'error',
    exit: 1,
    meaning: 'The configured listening address is not one of this machine.',
    remedy: 'Configure an address this machine has, or none, which is all of them.',
  },
  LISTEN_PORT_TAKEN: {
    severity: 'error',
    exit: 1,
    meaning: 'Another process already listens on the configured port.',
    remedy: 'Stop that process, or configure another port.',
  },
  MASTER_POOL_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'The master was asked about a resource pool it does not have.',
    remedy: 'Name one of the pools in resource_pools.',
  },
  TOKEN_FILE_OPEN: {
    severity: 'error',
    exit: 3,
    meaning: 'The file with the token that allows changes can be read or written by other users.',
    remedy: 'Set its mode to 0600, and replace the token if others may have read it.',
  },
  TOKEN_FILE_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The file with the token that allows changes cannot be read or written, or holds none.',
    remedy: 'Mend the file or its folder, or delete it so that a new one is made.',
  },
} as const satisfies Record<string, CodeInfo>
