// Codes of certificates the master presented when it was dialled.
import type { CodeInfo } from './code-info.ts'

export const preflightCertificateCodes = {
  PREFLIGHT_UNKNOWN_CA: {
    severity: 'error',
    exit: 4,
    meaning: "The master's certificate is not from a CA that agents would trust.",
    remedy: 'Put the chain the master really serves into security.tls.cert, up to its root.',
  },
  PREFLIGHT_OTHER_SELF_SIGNED: {
    severity: 'error',
    exit: 4,
    meaning: 'The master presents a self-signed certificate that is not the one agents would trust.',
    remedy: 'Put the certificate the master really serves into security.tls.cert.',
  },
  PREFLIGHT_MISSING_INTERMEDIATE: {
    severity: 'error',
    exit: 4,
    meaning: 'The master sends its own certificate without the intermediate CA that issued it.',
    remedy: "Append the intermediate CA's certificate to the master's certificate file and restart it.",
  },
  PREFLIGHT_ROOT_MISSING: {
    severity: 'error',
    exit: 4,
    meaning: 'Agents would join, but Python and Node tasks would not: what they are given has no root.',
    remedy: 'Append the root CA to security.tls.cert (or tls.ca_file).',
  },
  PREFLIGHT_EXPIRED: {
    severity: 'error',
    exit: 4,
    meaning: 'A certificate the master presents, or one above it, has expired.',
    remedy: 'Renew it and restart the master; if the date looks wrong, check the clock of this machine.',
  },
  PREFLIGHT_NOT_YET_VALID: {
    severity: 'error',
    exit: 4,
    meaning: 'A certificate the master presents, or one above it, is not valid yet.',
    remedy: 'Wait for its start or issue it anew; if the date looks wrong, check the clock of this machine.',
  },
  PREFLIGHT_WRONG_NAME: {
    severity: 'error',
    exit: 4,
    meaning: "The master's certificate is not valid for the name agents verify.",
    remedy: "Set master_cert_name to one of the certificate's names, or issue it for this one.",
  },
  PREFLIGHT_BAD_PURPOSE: {
    severity: 'error',
    exit: 4,
    meaning:
      'A certificate of the chain may not be used for this: not for TLS servers, or its issuer is no CA.',
    remedy: 'Issue the server certificate with extendedKeyUsage serverAuth, from CAs with CA:TRUE.',
  },
  PREFLIGHT_BAD_CA: {
    severity: 'error',
    exit: 4,
    meaning: 'A certificate signed another one that it may not sign, or too many CAs follow each other.',
    remedy: 'Issue the CAs with CA:TRUE, keyCertSign and a sufficient path length.',
  },
  PREFLIGHT_BAD_SIGNATURE: {
    severity: 'error',
    exit: 4,
    meaning: 'A signature in the presented chain is wrong: often a CA of the same name with another key.',
    remedy: 'Put the chain the master really serves into security.tls.cert, up to its root.',
  },
  PREFLIGHT_TOO_WEAK: {
    severity: 'error',
    exit: 4,
    meaning: 'A key or signature of the presented chain is too weak (RSA below 2048 bits, SHA-1, MD5).',
    remedy: 'Have the certificates issued anew: ECDSA P-256 or RSA 2048, signed with SHA-256.',
  },
  PREFLIGHT_BAD_CERTIFICATE: {
    severity: 'error',
    exit: 4,
    meaning: 'The presented chain breaks a rule of X.509, such as a critical extension or name constraints.',
    remedy: 'Have the named certificate issued anew.',
  },
  PREFLIGHT_GO_REFUSES: {
    severity: 'error',
    exit: 4,
    meaning: 'OpenSSL accepts what the master presents, but Go agents could not use one of the certificates.',
    remedy: 'Have the named certificate issued anew: ECDSA P-256 or RSA 2048, by the rules of RFC 5280.',
  },
  PREFLIGHT_MASTER_NOT_RESTARTED: {
    severity: 'warning',
    exit: 4,
    meaning:
      'The master presents another certificate than the one in the file: it reads it only at its start.',
    remedy: 'Restart the master (or reload the proxy) before the presented certificate expires.',
  },
  PREFLIGHT_TASKS_LACK_ROOT: {
    severity: 'warning',
    exit: 4,
    meaning:
      'The master serves its chain without the root; it gives tasks the same file, and Python refuses it.',
    remedy: "Append the root CA to the master's own certificate file and restart it.",
  },
} as const satisfies Record<string, CodeInfo>
