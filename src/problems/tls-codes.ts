// Codes of TLS certificates and of the trust plan.
import type { CodeInfo } from './code-info.ts'
import { tlsFileCodes } from './tls-file-codes.ts'

// Codes of faults of a certificate or a chain, by how its verifiers (Go, OpenSSL, Python) react.

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
    remedy: 'Wait until it is valid or reissue it; if the date looks wrong, check the clock of this machine.',
  },
  TLS_EXPIRES_SOON: {
    severity: 'warning',
    exit: 3,
    meaning: 'A certificate of the chain is in the last third of its life, and expires within 30 days.',
    remedy: 'Renew it before it expires; after that, new agents cannot join.',
  },
  TLS_NO_SAN: {
    severity: 'error',
    exit: 3,
    meaning:
      'Go finds no subject alternative name with a host in the server certificate; it ignores the common name, and the extensions of the versions 1 and 2.',
    remedy:
      'Reissue it as version 3 with a DNS name, such as `-addext subjectAltName=DNS:master.example.com` of openssl; with pyOpenSSL call `set_version(2)`.',
  },
  TLS_NOT_FOR_SERVERS: {
    severity: 'error',
    exit: 3,
    meaning: 'Key usage or extended key usage does not allow the server certificate in a TLS server.',
    remedy: 'Reissue it with extendedKeyUsage serverAuth and keyUsage digitalSignature.',
  },
  TLS_WEAK_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'An RSA or DSA key of the chain is shorter than 2048 bits; OpenSSL rejects it.',
    remedy: 'Reissue the certificate with an ECDSA P-256 key or RSA of at least 2048 bits.',
  },
  TLS_WEAK_SIGNATURE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate that is not a root is signed with MD5 or SHA-1; OpenSSL rejects it.',
    remedy: 'Reissue it with SHA-256.',
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
    remedy: 'Reissue it with SHA-256, SHA-384 or SHA-512 and RSA, ECDSA or Ed25519.',
  },
  TLS_CRITICAL_EXTENSION: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate has a critical extension that verifiers do not support.',
    remedy: 'Reissue it without that extension, or with the extension not critical.',
  },
  TLS_GO_REFUSES: {
    severity: 'error',
    exit: 3,
    meaning: "A certificate breaks a rule of X.509 that Go's parser enforces; agents could not read it.",
    remedy: 'Reissue the certificate without the named fault.',
  },
  TLS_OPENSSL_REFUSES: {
    severity: 'error',
    exit: 3,
    meaning:
      'An extension of a certificate breaks a rule that OpenSSL enforces; Python tasks, Node and tools could not verify the master.',
    remedy:
      'Reissue the certificate without the named fault; `openssl x509 -in FILE -noout -text` shows its extensions.',
  },
  TLS_NOT_A_CA: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate that signed another of the chain is not allowed to sign certificates.',
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
    meaning: 'A CA of the chain is restricted to uses that exclude TLS servers.',
    remedy: 'Use a CA without extendedKeyUsage, or one that has serverAuth in it.',
  },
  TLS_NAME_CONSTRAINTS: {
    severity: 'error',
    exit: 3,
    meaning:
      'A name of a certificate is outside the name constraints of a CA above it. The e-mail address in its subject counts, and without a DNS name also its common name.',
    remedy:
      'Issue the certificate with names its CA may certify; leave emailAddress out of its subject, and give it a DNS name.',
  },
  TLS_STRICT_RFC5280: {
    severity: 'warning',
    exit: 3,
    meaning: 'The chain breaks a rule of RFC 5280 that Python 3.13 and newer enforce by default.',
    remedy: 'Reissue the named certificate; until then tasks with a newer Python cannot reach the master.',
  },
  TLS_SELF_SIGNED_RENEWAL: {
    severity: 'warning',
    exit: 3,
    meaning:
      'A single self-signed certificate is embedded: after its renewal, running agents can no longer connect.',
    remedy: 'Use a chain with its own root (`provision certs` creates one), or replace agents at renewal.',
  },
  TLS_RENEWAL_REFUSED: {
    severity: 'warning',
    exit: 3,
    meaning:
      'Agents join today, because they were given every certificate of the chain. When what is below the root has been renewed, Go agents that were launched before refuse the new chain.',
    remedy:
      'Reissue the named certificate without the fault; or drain the instances at each renewal, so that new ones get the new chain.',
  },
  TLS_RENEWED_UNDER_OTHER_ROOT: {
    severity: 'warning',
    exit: 3,
    meaning: 'The renewed certificate is from a CA that running agents do not trust.',
    remedy: 'Renew it with the same CA; or drain these instances, so that new ones get the new chain.',
  },
  TLS_CHAIN_ORDER: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The certificates of the file are not in order (server certificate first). Agents get them in order.',
    remedy: 'Reorder the file: a Go master does not start when the server certificate is not first.',
  },
  TLS_CHAIN_DUPLICATE: {
    severity: 'warning',
    exit: 3,
    meaning: 'A certificate is in the file more than once. Agents get it once.',
    remedy: 'Remove the repeated block.',
  },
  TLS_CHAIN_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning:
      'The certificates of the file make a TLS message that agents cannot read: the limit is 64 KiB in Go 1.22, 100 KiB in Python; or too many of them have the same name to find the chain.',
    remedy:
      'Keep the server certificate, its intermediates and its root; remove the rest, such as a CA bundle.',
  },
  TLS_CHAIN_EXTRA: {
    severity: 'warning',
    exit: 3,
    meaning:
      "Certificates in the file do not belong to the server certificate's chain. Agents do not trust them, but a master that serves the whole file sends them with every handshake.",
    remedy: 'Remove them from the file, or check that the right chain was copied.',
  },
  TLS_KEY_IDENTIFIER: {
    severity: 'error',
    exit: 3,
    meaning:
      'A certificate was signed with the key of a CA in the file, but its authority key identifier names another certificate of that CA: the CA was renewed under the same key after it had issued the certificate (easy-rsa does that), or its subject key identifier has changed.',
    remedy:
      'Issue the named certificate again under the present CA certificate, or put the CA certificate that it names (usually the one before the renewal) into the file. `openssl x509 -in FILE -noout -serial -ext authorityKeyIdentifier,subjectKeyIdentifier` shows both.',
  },
  TLS_ISSUER_MISSING: {
    severity: 'error',
    exit: 3,
    meaning:
      'The chain does not reach a root: agents might join, but Python and Node tasks could not verify the master.',
    remedy: 'Append the certificate of the missing issuer, up to the root, to the file.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of the trust plan: how agents trust the master, which name they verify, and what their configuration sets.

export const trustCodes = {
  TLS_CERT_WITHOUT_HTTPS: {
    severity: 'error',
    exit: 3,
    meaning: '`security.tls.cert` is set, but agents dial the master with plain http.',
    remedy: 'Write https in master_url, or `tls: {trust: off}` if agents should use plain text.',
  },
  TLS_PLAIN_HTTP: {
    severity: 'warning',
    exit: 3,
    meaning: 'Agents connect to the master in plain text.',
    remedy: 'Give the master a certificate (security.tls) and use https.',
  },
  TLS_TRUST_CONFLICT: {
    severity: 'error',
    exit: 3,
    meaning: 'Trust settings contradict each other or the scheme of the master URL.',
    remedy: 'Keep one of the two settings named in the message.',
  },
  TLS_SKIP_VERIFY: {
    severity: 'warning',
    exit: 3,
    meaning: 'Agents encrypt but do not verify the master: anyone on the network path can impersonate it.',
    remedy: 'Put the chain into security.tls.cert and remove `trust: skip_verify`.',
  },
  TLS_NOTHING_TO_EMBED: {
    severity: 'error',
    exit: 3,
    meaning: '`trust: embed` is set, but there is no certificate to embed.',
    remedy: 'Set security.tls.cert, or tls.ca_file if a proxy with a private CA terminates TLS.',
  },
  TLS_SYSTEM_UNKNOWN_CA: {
    severity: 'warning',
    exit: 3,
    meaning: "`trust: system` is set, but the certificate's issuer is not among the well-known CAs.",
    remedy:
      'Use `trust: embed`, name the CA in tls.ca_file, or have startup_script add it to the CAs of the instance.',
  },
  TLS_PUBLIC_ROOT_IN_FILE: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The certificate file contains the root of a public CA, which may use another root at the next renewal.',
    remedy:
      'Remove the root from the file: masters send the chain without it, and `trust: auto` adds it. With `trust: embed`, use `trust: auto`.',
  },
  TLS_CA_LEFT_OUT: {
    severity: 'warning',
    exit: 3,
    meaning: 'A certificate of tls.ca_file is not usable and is omitted; the others are embedded.',
    remedy: 'Remove it from the file, or renew it.',
  },
  TLS_NAME_MISMATCH: {
    severity: 'error',
    exit: 3,
    meaning: 'The server certificate is not valid for the configured certificate name.',
    remedy: 'Use one of the names listed in the message, or reissue the certificate with this name.',
  },
  TLS_NAME_NEEDED: {
    severity: 'error',
    exit: 3,
    meaning: 'Agents dial an IP address, and the provisioner does not know the certificate at that address.',
    remedy: 'Set master_cert_name to the name in that certificate.',
  },
  TLS_NO_USABLE_NAME: {
    severity: 'error',
    exit: 3,
    meaning: 'Go and OpenSSL do not both accept any DNS name of the server certificate.',
    remedy: 'Reissue it with a plain host name, such as master.example.com.',
  },
  TLS_IP_ONLY: {
    severity: 'error',
    exit: 3,
    meaning: "Agents would verify an IP address, which older agents' log shipper cannot.",
    remedy: 'Issue the certificate with a DNS name (it needs no DNS record), or set tls.allow_ip_only.',
  },
  AGENT_CONFIG_CONFLICT: {
    severity: 'error',
    exit: 3,
    meaning: '`agent_config_file_contents` contradicts how agents trust the master.',
    remedy: 'Remove the setting from agent_config_file_contents, or choose the matching tls.trust.',
  },
  AGENT_CONFIG_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'The agent would reject its merged configuration.',
    remedy: 'Correct agent_config_file_contents.',
  },
  CLIENT_CERT_REQUIRED: {
    severity: 'error',
    exit: 3,
    meaning: 'The master requires a client certificate, and the agents have none.',
    remedy:
      'Write `join: required` in the provider of the pool, or set security.tls.client_cert and client_key in agent_config_file_contents.',
  },
  CERTS_EXIST: {
    severity: 'error',
    exit: 3,
    meaning: 'A file of the development certificates already exists; nothing is overwritten.',
    remedy: 'Choose another folder with --out, or remove the old files first.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of settings in agent_config_file_contents that agents accept, but that do not have the intended effect.

export const agentConfigCodes = {
  AGENT_CONFIG_NO_EFFECT: {
    severity: 'warning',
    exit: 3,
    meaning: 'A setting in agent_config_file_contents has no effect on the agents.',
    remedy: 'Remove it, or set the key of the pool that the message names.',
  },
  AGENT_CONFIG_UNVERIFIED: {
    severity: 'warning',
    exit: 3,
    meaning: 'Agents trust a certificate file on their own disk, so the provisioner cannot verify the trust.',
    remedy: 'Use `tls: {trust: embed, ca_file: …}` with a copy of that file.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of creating a development CA.

export const certsCodes = {
  CERTS_REQUEST_INVALID: {
    severity: 'error',
    exit: 2,
    meaning: 'The requested name, address or lifetime is not valid for a certificate.',
    remedy:
      'Pass DNS names with --name, IP addresses with --ip and a lifetime of 1 to 36500 days with --days.',
  },
  CERTS_NOT_WRITTEN: {
    severity: 'error',
    exit: 1,
    meaning: 'The files of a development CA could not be written; partial files were removed.',
    remedy: 'Choose a folder with --out that this user can write.',
  },
} as const satisfies Record<string, CodeInfo>

export const tlsCodes = {
  ...tlsFileCodes,
  ...certificateCodes,
  ...trustCodes,
  ...agentConfigCodes,
  ...certsCodes,
} as const satisfies Record<string, CodeInfo>
