// Codes of reading certificate and key files.
import type { CodeInfo } from './code-info.ts'

export const tlsFileCodes = {
  TLS_FILE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate or key file named in the configuration does not exist.',
    remedy:
      'Correct the path; relative paths are relative to the configuration file. To try it out, create a certificate: `provision certs --name HOST`.',
  },
  TLS_FILE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate or key file cannot be read: permissions, or it is a directory.',
    remedy: 'Make the file readable for this user, or name another file.',
  },
  TLS_FILE_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate or key file is larger than 1 MiB: it may be another file, or a CA bundle.',
    remedy: 'Use a file with only the certificate chain, or only the key.',
  },
  TLS_FILE_NOT_PEM: {
    severity: 'error',
    exit: 3,
    meaning:
      'The file is empty or not PEM. The message tells what it is (DER, PKCS#12, PKCS#7, UTF-16, HTML, …), the remedy how to convert it.',
    remedy: 'Convert it to PEM, for example `openssl x509 -inform DER -in FILE -out FILE.pem`.',
  },
  TLS_NO_CERTIFICATE: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate file is PEM but has no certificate; often it is the private key.',
    remedy: 'Name the file with the certificate chain, server certificate first.',
  },
  CLIENT_CA_EMPTY: {
    severity: 'error',
    exit: 3,
    meaning:
      'A list of CAs for client certificates contains no certificate, so every client would be refused.',
    remedy: 'Name a file with the CA certificates, or remove `client_ca`.',
  },
  TLS_PEM_BROKEN: {
    severity: 'error',
    exit: 3,
    meaning: 'A PEM block is truncated, is not base64, or is not a certificate.',
    remedy: 'Copy the block again from its source; verifiers ignore it or everything after it.',
  },
  TLS_PEM_MENDED: {
    severity: 'warning',
    exit: 3,
    meaning: 'Some TLS libraries cannot read the format of the file; agents get a rewritten copy.',
    remedy: 'Rewrite the file as plain PEM: a Go master that reads it may miss certificates.',
  },
  TLS_KEY_IN_CERT_FILE: {
    severity: 'warning',
    exit: 3,
    meaning: 'The certificate file also has a private key. The key is never copied into any output.',
    remedy: 'Keep the private key in a separate file with mode 0600.',
  },
  TLS_KEY_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The key file has no readable private key.',
    remedy: 'Use a file with one unencrypted private key in PEM (PKCS#8, PKCS#1 or SEC 1).',
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
    meaning: 'The key file has several private keys; servers use the first.',
    remedy: 'Keep only the key of the server certificate in the file.',
  },
  TLS_KEY_MISMATCH: {
    severity: 'error',
    exit: 3,
    meaning: 'The private key does not belong to the server certificate.',
    remedy: 'Configure a certificate and a key that belong together.',
  },
} as const satisfies Record<string, CodeInfo>
