// Codes of the command line's trust in a master: its certificate, and what was stored about it.
import type { CodeInfo } from './code-info.ts'

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
