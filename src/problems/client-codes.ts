// Codes of the command line as a client: why a master was not reached, not trusted, or said no.

import { clientTrustCodes } from './client-trust.ts'
import type { CodeInfo } from './code-info.ts'

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
