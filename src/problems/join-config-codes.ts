// Codes of settings of who may join: `join` of a provider, and client certificates of agents.
import type { CodeInfo } from './code-info.ts'

export const joinConfigCodes = {
  JOIN_UNSUPPORTED: {
    severity: 'error',
    exit: 3,
    meaning: '`join: required` is set for a type of provider whose instances cannot prove what they are.',
    remedy: 'Remove join.',
  },
  JOIN_NEEDS_TLS: {
    severity: 'error',
    exit: 3,
    meaning:
      '`join: required` is set where agents do not verify the master by TLS, or where the provisioner itself has no certificate.',
    remedy: 'Set security.tls.cert and key, and leave tls.trust at `auto`.',
  },
  JOIN_URL_MISSING: {
    severity: 'error',
    exit: 3,
    meaning:
      'It is not known at which address instances reach the provisioner to ask for their certificates.',
    remedy: 'Set join.url of the pool to an address that its instances can dial.',
  },
  JOIN_NOT_DEMANDED: {
    severity: 'warning',
    exit: 3,
    meaning:
      'A pool has `join: required`, but its Determined master accepts agents without a client certificate.',
    remedy:
      "Set resource_manager.require_authentication and client_ca in the master's own configuration, with the CA that `provision agents-ca show` prints, and restart the master.",
  },
  CLIENT_CA_EMPTY: {
    severity: 'error',
    exit: 3,
    meaning:
      'Client certificates are verified against no CA of your own: a master then accepts nobody, or those of every CA that its system trusts.',
    remedy:
      'Set client_ca to a file with the CA certificates; that of `join` is written by `provision agents-ca init`.',
  },
} as const satisfies Record<string, CodeInfo>
