// Codes of the command line as a client.
import type { CodeInfo } from './code-info.ts'

// Codes that any part of the program can report.

export const generalCodes = {
  INTERNAL: {
    severity: 'error',
    exit: 1,
    meaning: 'A bug in this program.',
    remedy: 'Report it with the message and the output of `provision version`.',
  },
  USAGE: {
    severity: 'error',
    exit: 2,
    meaning: 'The command line is invalid.',
    remedy: 'Run `provision help`.',
  },
  NO_PROVIDED_POOLS: {
    severity: 'error',
    exit: 3,
    meaning: 'No pool of the configuration has a `provider`.',
    remedy: 'Add a `provider` to a pool, see docs/configuration.md.',
  },
  FILE_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'A file named on the command line cannot be read.',
    remedy: 'Check its path and its permissions.',
  },
  CLUSTER_ID_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'The policy must contain the cluster_id that tags the instances, and there is none yet.',
    remedy:
      'Set `cluster_id` in the configuration, or start `provision` once on the machine where it will run.',
  },
  FILE_NOT_WRITTEN: {
    severity: 'error',
    exit: 1,
    meaning: 'An output file cannot be written.',
    remedy: 'Check the folder, its permissions and the free space.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of the trust in a master's certificate, and of the trust store.

export const clientTrustCodes = {
  CLIENT_CERT_UNTRUSTED: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the master is not signed by a trusted CA.',
    remedy: "Set DET_MASTER_CERT_FILE to a file with the master's certificate chain (PEM).",
  },
  CLIENT_CERT_CHANGED: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate that the master presents is not the stored one, and no trusted CA issued it.',
    remedy:
      'If the master has a new certificate, run `provision trust replace URL`. If not, the connection may be intercepted.',
  },
  CLIENT_CERT_FINGERPRINT: {
    severity: 'error',
    exit: 3,
    meaning: "The SHA-256 of the master's certificate differs from --fingerprint.",
    remedy: 'Compare it with the certificate on the master; do not trust it until you know its origin.',
  },
  CLIENT_CERT_NAME: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the master is not valid for the verified name.',
    remedy: 'Use a host name of the certificate, or set DET_MASTER_CERT_NAME to one of its names.',
  },
  CLIENT_CERT_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the master has expired, is not valid yet, or is not a server certificate.',
    remedy: 'Check the clock of this machine; then renew the certificate of the master.',
  },
  CLIENT_TOKEN_UNVERIFIED: {
    severity: 'error',
    exit: 3,
    meaning: 'DET_MASTER_CERT_FILE is `noverify`; tokens are never sent to an unverified master.',
    remedy: 'Unset DET_MASTER_CERT_FILE and store the certificate with `provision trust add`.',
  },
  CLIENT_NOT_VERIFIED: {
    severity: 'warning',
    exit: 3,
    meaning: "DET_MASTER_CERT_FILE is `noverify`: the server's identity is not verified.",
    remedy: 'Unset DET_MASTER_CERT_FILE and store the certificate with `provision trust add`.',
  },
  TRUST_ROOT_MISSING: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The stored chain of a master lacks its root. This program accepts that; Python before 3.13 does not.',
    remedy:
      'Serve the chain up to the root from the master, or set DET_MASTER_CERT_FILE to a file with the root for `det`.',
  },
  TRUST_NOT_CONSULTED: {
    severity: 'warning',
    exit: 3,
    meaning: 'The trust store is ignored while DET_MASTER_CERT_FILE is set.',
    remedy: 'Unset DET_MASTER_CERT_FILE.',
  },
  TRUST_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'The trust store has no entry for the master.',
    remedy: '`provision trust list` shows the entries.',
  },
  TRUST_STORE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The trust store cannot be read. It is not overwritten.',
    remedy: 'Repair the file, or move it away and trust the masters again.',
  },
  TRUST_STORE_BUSY: {
    severity: 'error',
    exit: 1,
    meaning: 'Another program holds the lock of the trust store.',
    remedy: 'Try again; if it persists, stop the `det` or `provision` process that hangs.',
  },
} as const satisfies Record<string, CodeInfo>

export const clientCodes = {
  CLIENT_MASTER_URL: {
    severity: 'error',
    exit: 2,
    meaning: 'The address in -m or DET_MASTER is invalid.',
    remedy: 'Write it as https://HOST:PORT.',
  },
  CLIENT_UNREACHABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'No master answers at the address.',
    remedy: 'Start the master (`provision`), or pass its address with -m or its configuration with -c.',
  },
  CLIENT_SCHEME: {
    severity: 'error',
    exit: 1,
    meaning: 'The scheme does not match the port: https on a port without TLS, or http on a TLS port.',
    remedy: 'Correct the scheme, https:// or http://.',
  },
  CLIENT_TLS_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: "The TLS handshake failed, but not because of the master's certificate.",
    remedy:
      'Check the proxy or load balancer in front of the master; `openssl s_client -connect HOST:PORT` shows its answer.',
  },
  ...clientTrustCodes,
  NOT_A_PROVISIONER: {
    severity: 'error',
    exit: 1,
    meaning: 'The server at that address is not a provisioner or master of this product.',
    remedy:
      'Pass the address of a running `provision`: its `listen` (8444), or its built-in master. Other masters have their own CLIs.',
  },
  CLIENT_TOKEN_MISSING: {
    severity: 'error',
    exit: 1,
    meaning: 'The command needs a token, and found none.',
    remedy: "Pass a copy of the master's <state_dir>/token with --token-file.",
  },
  CLIENT_TOKEN_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The master rejects the token.',
    remedy: "Use the token in the master's <state_dir>/token.",
  },
  CLIENT_TOKEN_EXPOSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The token would be sent over a network unencrypted.',
    remedy: 'Write https:// before the host; an explicit http:// sends it anyway.',
  },
  NOT_RUNNING: {
    severity: 'error',
    exit: 1,
    meaning: 'No provisioner runs with the state_dir of this configuration.',
    remedy: 'Start it (`provision`), or pass its configuration with -c or its address with -m.',
  },
  CONTROL_SOCKET_DENIED: {
    severity: 'error',
    exit: 1,
    meaning: 'The control socket of the provisioner belongs to another user.',
    remedy: 'Run the command as the user the provisioner runs as, such as with sudo -u.',
  },
  CONFIRMATION_NEEDED: {
    severity: 'error',
    exit: 2,
    meaning: 'The command cannot be undone, and there is no terminal for the confirmation.',
    remedy: 'Add --yes to the command.',
  },
  REQUEST_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'The master rejected the request.',
    remedy: 'Correct the value that the message names.',
  },
  WORK_POOL_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'A job was submitted to a resource pool that the master does not have.',
    remedy: 'Name one of its pools with --pool.',
  },
  WORK_CANNOT_RUN: {
    severity: 'error',
    exit: 2,
    meaning: 'The resource pool as it is configured can never run such a job, so it was not accepted.',
    remedy:
      'Give the job fewer slots, or choose another pool; with `provision submit --force` it is accepted, and waits.',
  },
  WORK_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'The master has no job with this id.',
    remedy: '`provision jobs` lists its jobs; of finished jobs it keeps the last thousand.',
  },
  WORK_ID_TAKEN: {
    severity: 'error',
    exit: 1,
    meaning: 'A different job with the same id was submitted before.',
    remedy: 'Choose another --id, or omit it.',
  },
  WORK_NOT_CONFIRMED: {
    severity: 'error',
    exit: 1,
    meaning: 'A job was submitted, but no response arrived: the master may have accepted it.',
    remedy: 'Check with `provision jobs ID`, or submit it again with the same --id: it never runs twice.',
  },
  MASTER_FAULT: {
    severity: 'error',
    exit: 1,
    meaning: 'The master returned an unexpected response.',
    remedy: "Check the master's log and its /healthz.",
  },
} as const satisfies Record<string, CodeInfo>
