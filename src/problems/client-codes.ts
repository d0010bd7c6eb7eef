// Codes of the command line as a client: why a master was not reached, not trusted, or said no.
import type { CodeInfo } from './code-info.ts'

// Codes any part of the program can raise.

export const generalCodes = {
  INTERNAL: {
    severity: 'error',
    exit: 1,
    meaning: 'A fault in this program, not in what it was given.',
    remedy: 'Report it with the message and the version printed by `provision version`.',
  },
  USAGE: {
    severity: 'error',
    exit: 2,
    meaning: 'The command line was not understood.',
    remedy: 'See `provision help`.',
  },
  NO_PROVIDED_POOLS: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration has no pool whose agents are to be launched.',
    remedy: 'Give a pool a `provider`, see docs/configuration.md.',
  },
  FILE_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'A file named on the command line cannot be read.',
    remedy: 'Check its name and its permissions.',
  },
  CLUSTER_ID_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'A policy has to name the cluster its VMs are marked with, and there is no name yet.',
    remedy: 'Set `cluster_id` in the configuration, or start `provision` once where it will run.',
  },
  FILE_NOT_WRITTEN: {
    severity: 'error',
    exit: 1,
    meaning: 'A file that was asked for cannot be written.',
    remedy: 'Check the folder, who may write there, and the space left.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of the command line's trust in a master: its certificate, and what was stored about it.

export const clientTrustCodes = {
  CLIENT_CERT_UNTRUSTED: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the master is not from a CA this command trusts.',
    remedy: "Set DET_MASTER_CERT_FILE to a file with the master's certificate chain (PEM).",
  },
  CLIENT_CERT_CHANGED: {
    severity: 'error',
    exit: 3,
    meaning:
      'The master presents another certificate than the one that was trusted, and no trusted CA issued it.',
    remedy: 'If it was given a new one, `provision trust replace URL`; if not, somebody stands in between.',
  },
  CLIENT_CERT_FINGERPRINT: {
    severity: 'error',
    exit: 3,
    meaning: 'The master presents a certificate of another SHA-256 than the one given.',
    remedy: 'Compare with the certificate on the master; do not go on before you know whose this one is.',
  },
  CLIENT_CERT_NAME: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the master is for other names than the one that was verified.',
    remedy: 'Use a host the certificate is for, or set DET_MASTER_CERT_NAME to one of its names.',
  },
  CLIENT_CERT_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the master has expired, is not valid yet, or is not fit for a server.',
    remedy: 'Give the master a good certificate; look at the clock of this machine first.',
  },
  CLIENT_TOKEN_UNVERIFIED: {
    severity: 'error',
    exit: 3,
    meaning: 'DET_MASTER_CERT_FILE is `noverify`, and an unverified master is never sent a token.',
    remedy: 'Unset DET_MASTER_CERT_FILE and store the certificate with `provision trust add`.',
  },
  CLIENT_NOT_VERIFIED: {
    severity: 'warning',
    exit: 3,
    meaning: 'DET_MASTER_CERT_FILE is `noverify`: whoever answers is believed to be the master.',
    remedy: 'Unset DET_MASTER_CERT_FILE and store the certificate with `provision trust add`.',
  },
  TRUST_ROOT_MISSING: {
    severity: 'warning',
    exit: 3,
    meaning: 'What was stored for a master ends below its root: enough here, but not for every Python.',
    remedy:
      'Have the master serve its chain up to the root, or set DET_MASTER_CERT_FILE to a file with it for `det`.',
  },
  TRUST_NOT_CONSULTED: {
    severity: 'warning',
    exit: 3,
    meaning: 'While DET_MASTER_CERT_FILE is set, what is stored is not consulted.',
    remedy: 'Unset DET_MASTER_CERT_FILE.',
  },
  TRUST_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'Nothing is stored for that master.',
    remedy: '`provision trust list` shows what is.',
  },
  TRUST_STORE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The file of trusted certificates cannot be read. Nothing is overwritten.',
    remedy: 'Mend it, or move it away; what was trusted is then asked about again.',
  },
  TRUST_STORE_BUSY: {
    severity: 'error',
    exit: 1,
    meaning: 'Another program keeps the lock of the file of trusted certificates.',
    remedy: 'Try again; if it stays so, look for a `det` or `provision` that hangs.',
  },
} as const satisfies Record<string, CodeInfo>

export const clientCodes = {
  CLIENT_MASTER_URL: {
    severity: 'error',
    exit: 2,
    meaning: 'What -m or DET_MASTER says is no address of a master.',
    remedy: 'Write it as https://HOST:PORT.',
  },
  CLIENT_UNREACHABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'No master answers at the address the command was to talk to.',
    remedy: 'Start the master (`provision`), or say where it is with -m or the right -c.',
  },
  CLIENT_SCHEME: {
    severity: 'error',
    exit: 1,
    meaning: 'The command speaks TLS and the port does not, or the other way round.',
    remedy: 'Write https:// or http:// before the host, as the master serves.',
  },
  CLIENT_TLS_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The TLS handshake failed for another reason than the certificate of the master.',
    remedy: 'See the message for what the TLS library said, and what stands before the master.',
  },
  ...clientTrustCodes,
  NOT_A_PROVISIONER: {
    severity: 'error',
    exit: 1,
    meaning: 'What answers at that address is not a provisioner or master of this product.',
    remedy:
      'Name a running `provision`: its `listen` (8444), or its built-in master. Other masters have command lines of their own.',
  },
  CLIENT_TOKEN_MISSING: {
    severity: 'error',
    exit: 1,
    meaning: 'The command needs a token, and there is none where it looked.',
    remedy: "Name a copy of the master's <state_dir>/token with --token-file.",
  },
  CLIENT_TOKEN_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The master does not take the token.',
    remedy: "Use the token in the master's own <state_dir>/token.",
  },
  CLIENT_TOKEN_EXPOSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The token would cross a network unencrypted.',
    remedy: 'Write https:// before the host; http://, written out, sends it all the same.',
  },
  NOT_RUNNING: {
    severity: 'error',
    exit: 1,
    meaning: 'No provisioner runs with the state_dir of this configuration.',
    remedy: 'Start it (`provision`), name its configuration with -c, or its address with -m.',
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
    meaning: 'The command does what cannot be undone, and there is no terminal to ask whether it should.',
    remedy: 'Give --yes.',
  },
  REQUEST_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'The master did not accept what was asked for, and says why.',
    remedy: 'Correct what the message names.',
  },
  WORK_POOL_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'Work was handed in for a resource pool the master does not have.',
    remedy: 'Name one of its pools with --pool.',
  },
  WORK_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'The master knows no work of this id.',
    remedy: '`provision work` lists what it knows; of work that is over it remembers the last thousand.',
  },
  WORK_ID_TAKEN: {
    severity: 'error',
    exit: 1,
    meaning: 'Other work of the same id was handed in before.',
    remedy: 'Choose another --id, or none.',
  },
  WORK_NOT_CONFIRMED: {
    severity: 'error',
    exit: 1,
    meaning: 'Work was sent, and no answer came: the master may have it or not.',
    remedy: 'Ask with `provision work ID`, or hand it in again with the same --id: it is never run twice.',
  },
  MASTER_FAULT: {
    severity: 'error',
    exit: 1,
    meaning: 'The master answered, but not with what was asked for.',
    remedy: "Look into the master's log and at its /healthz.",
  },
} as const satisfies Record<string, CodeInfo>
