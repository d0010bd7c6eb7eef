// Codes of what is wrong with a certificate or a chain, by what its verifiers (Go, OpenSSL, Python) do with it.
import type { CodeInfo } from './code-info.ts'

export const certificateCodes = {
  TLS_EXPIRED: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate of the chain has expired.',
    remedy: 'Renew it; if the date looks wrong, check the clock of this machine.',
  },
  TLS_NOT_YET_VALID: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate of the chain is not valid yet.',
    remedy: 'Wait for its start or issue it anew; if the date looks wrong, check the clock of this machine.',
  },
  TLS_EXPIRES_SOON: {
    severity: 'warning',
    exit: 3,
    meaning: 'A certificate of the chain expires within 30 days.',
    remedy: 'Renew it before it expires; agents that start later cannot join.',
  },
  TLS_NO_SAN: {
    severity: 'error',
    exit: 3,
    meaning: 'The server certificate has no subject alternative name for a host; Go ignores the common name.',
    remedy: 'Issue it with a DNS name in subjectAltName.',
  },
  TLS_NOT_FOR_SERVERS: {
    severity: 'error',
    exit: 3,
    meaning: 'Key usage or extended key usage forbids the server certificate in a TLS server.',
    remedy: 'Issue it with extendedKeyUsage serverAuth and keyUsage digitalSignature.',
  },
  TLS_WEAK_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'An RSA or DSA key of the chain is shorter than 2048 bits; OpenSSL refuses it.',
    remedy: 'Issue the certificate anew with an ECDSA P-256 key or RSA of at least 2048 bits.',
  },
  TLS_WEAK_SIGNATURE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate that is not a root is signed with MD5 or SHA-1; OpenSSL refuses it.',
    remedy: 'Have it issued anew with SHA-256.',
  },
  TLS_KEY_TYPE: {
    severity: 'error',
    exit: 3,
    meaning: 'A key of the chain is of a type or curve that Go agents or Python tasks cannot use.',
    remedy: 'Use ECDSA P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519.',
  },
  TLS_SIGNATURE_TYPE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate that is not a root is signed with an algorithm Go cannot verify.',
    remedy: 'Have it issued with SHA-256, SHA-384 or SHA-512 and RSA, ECDSA or Ed25519.',
  },
  TLS_CRITICAL_EXTENSION: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate marks an extension as critical that verifiers do not know.',
    remedy: 'Have it issued without that extension, or with the extension not critical.',
  },
  TLS_GO_REFUSES: {
    severity: 'error',
    exit: 3,
    meaning: "A certificate breaks a rule of X.509 that Go's parser enforces; agents could not read it.",
    remedy: 'Have the certificate issued anew without the named fault.',
  },
  TLS_NOT_A_CA: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate that signed another one of the chain may not sign certificates.',
    remedy: 'Issue the CA with basicConstraints CA:TRUE and keyUsage keyCertSign.',
  },
  TLS_CA_PATH_LENGTH: {
    severity: 'error',
    exit: 3,
    meaning: 'The chain has more CAs below a CA than its path length constraint allows.',
    remedy: 'Issue the server certificate from a CA further up, or that CA with a larger path length.',
  },
  TLS_CA_NOT_FOR_SERVERS: {
    severity: 'error',
    exit: 3,
    meaning: 'A CA of the chain is restricted to other uses than TLS servers.',
    remedy: 'Use a CA without extendedKeyUsage, or one that has serverAuth in it.',
  },
  TLS_NAME_CONSTRAINTS: {
    severity: 'error',
    exit: 3,
    meaning: 'A name of the server certificate is outside the name constraints of a CA above it.',
    remedy: 'Issue the server certificate with names its CA may certify.',
  },
  TLS_NAME_ENCODING: {
    severity: 'error',
    exit: 3,
    meaning:
      'An issuer name and the subject of its CA differ in bytes (string type, case or blanks): Go refuses.',
    remedy: "Have the certificate issued anew with the CA's subject copied byte for byte.",
  },
  TLS_STRICT_RFC5280: {
    severity: 'warning',
    exit: 3,
    meaning: 'The chain breaks a rule of RFC 5280 that Python 3.13 and newer enforce by default.',
    remedy: 'Issue the named certificate anew; until then tasks with a newer Python cannot reach the master.',
  },
  TLS_SELF_SIGNED_RENEWAL: {
    severity: 'warning',
    exit: 3,
    meaning:
      'A lone self-signed certificate is embedded: renewing it strands every agent that runs with the old one.',
    remedy: 'Use a chain with a root of its own (`provision certs` makes one), or replace agents at renewal.',
  },
  TLS_RENEWED_UNDER_OTHER_ROOT: {
    severity: 'warning',
    exit: 3,
    meaning: 'The renewed certificate comes from a CA that agents launched before do not trust.',
    remedy:
      'Renew under the same CA; or drain these VMs, so that new ones with the new chain take their place.',
  },
  TLS_CHAIN_ORDER: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The certificates of the file are not in order, server certificate first. Agents get them in order.',
    remedy: 'Reorder the file: a Go master does not start when the server certificate is not first.',
  },
  TLS_CHAIN_DUPLICATE: {
    severity: 'warning',
    exit: 3,
    meaning: 'A certificate is in the file more than once. Agents get it once.',
    remedy: 'Remove the repeated block.',
  },
  TLS_CHAIN_EXTRA: {
    severity: 'warning',
    exit: 3,
    meaning:
      "Certificates in the file do not belong to the server certificate's chain. Agents do not get them.",
    remedy: 'Remove them from the file, or check that the right chain was copied.',
  },
  TLS_ISSUER_MISSING: {
    severity: 'error',
    exit: 3,
    meaning:
      'The chain does not reach a root: agents might join, but Python and Node tasks could not verify.',
    remedy: 'Append the certificate of the missing issuer, up to the root, to the file.',
  },
} as const satisfies Record<string, CodeInfo>
