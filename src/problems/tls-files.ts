// Codes of reading certificate and key files.
import type { CodeInfo } from './code-info.ts'

export const tlsFileCodes = {
  TLS_FILE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate or key file named in the configuration does not exist.',
    remedy:
      'Correct the path; relative paths are relative to the configuration file. To try things out, `provision certs` makes a certificate.',
  },
  TLS_FILE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate or key file cannot be read: permissions, or it is a directory.',
    remedy: 'Name a file this user may read.',
  },
  TLS_FILE_NOT_PEM: {
    severity: 'error',
    exit: 3,
    meaning: 'The file is empty or holds no PEM text (DER, PKCS#12, something else).',
    remedy: 'Convert it to PEM, for example `openssl x509 -inform DER -in FILE -out FILE.pem`.',
  },
  TLS_NO_CERTIFICATE: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate file is PEM but holds no certificate (often: the private key by mistake).',
    remedy: 'Name the file with the certificate chain, the server certificate first.',
  },
  TLS_PEM_BROKEN: {
    severity: 'error',
    exit: 3,
    meaning: 'A PEM block is cut off, is not base64, or holds bytes that are no certificate.',
    remedy: 'Copy the block again from its source; every verifier drops it or what follows it.',
  },
  TLS_PEM_MENDED: {
    severity: 'warning',
    exit: 3,
    meaning: 'The file is written in a way some TLS libraries cannot read; what agents get is written anew.',
    remedy: 'Rewrite the file as plain PEM: a Go master reading the same file may lose certificates.',
  },
  TLS_KEY_IN_CERT_FILE: {
    severity: 'warning',
    exit: 3,
    meaning: 'The certificate file also holds a private key. It is left out of everything that is emitted.',
    remedy: 'Keep the private key in a file of its own with mode 0600.',
  },
  TLS_KEY_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The key file holds no private key that can be read.',
    remedy: 'Name a file with one unencrypted private key in PEM (PKCS#8, PKCS#1 or SEC 1).',
  },
  TLS_KEY_ENCRYPTED: {
    severity: 'error',
    exit: 3,
    meaning: 'The private key is encrypted with a passphrase.',
    remedy: 'Decrypt it with `openssl pkey -in KEY -out KEY.plain` and protect the file with mode 0600.',
  },
  TLS_KEY_SEVERAL: {
    severity: 'warning',
    exit: 3,
    meaning: 'The key file holds several private keys; servers use the first one.',
    remedy: 'Keep only the key of the server certificate in the file.',
  },
  TLS_KEY_MISMATCH: {
    severity: 'error',
    exit: 3,
    meaning: 'The private key does not belong to the server certificate.',
    remedy: 'Name the certificate and the key that were made together.',
  },
} as const satisfies Record<string, CodeInfo>
