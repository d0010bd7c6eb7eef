// Codes of loading and judging TLS material, and of the trust plan.
import type { CodeInfo } from './code-info.ts'

// Codes of reading certificate and key files.

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
  TLS_FILE_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning: 'A certificate or key file has more than 1 MiB: it is not one, or holds whole bundles.',
    remedy: 'Name the file with the certificate chain alone, or with the key alone.',
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

// Codes of what is wrong with a certificate or a chain, by what its verifiers (Go, OpenSSL, Python) do with it.

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
  TLS_CHAIN_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning:
      'The certificates of the file make a TLS message that agents do not read: Go 1.22 stops at 64 KiB, Python at 100 KiB.',
    remedy:
      'Keep the server certificate, its intermediates and its root; remove the rest, such as a whole CA bundle.',
  },
  TLS_CHAIN_EXTRA: {
    severity: 'warning',
    exit: 3,
    meaning:
      "Certificates in the file do not belong to the server certificate's chain. Agents do not trust them, yet a master that serves the whole file sends them with every handshake.",
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

// Codes of the trust plan: how agents trust the master, under which name, and what their configuration says about it.

export const trustCodes = {
  TLS_CERT_WITHOUT_HTTPS: {
    severity: 'error',
    exit: 3,
    meaning: '`security.tls.cert` is set, but agents are told to dial the master with plain http.',
    remedy: 'Write https in master_url, or `tls: {trust: off}` if agents really are to use plain text.',
  },
  TLS_PLAIN_HTTP: {
    severity: 'warning',
    exit: 3,
    meaning: 'Agents talk to the master in plain text.',
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
    meaning: 'Agents encrypt but do not verify the master: anyone on the path can pose as it.',
    remedy: 'Remove `trust: skip_verify` once the chain is in security.tls.cert.',
  },
  TLS_NOTHING_TO_EMBED: {
    severity: 'error',
    exit: 3,
    meaning: '`trust: embed` is set, but there is no certificate to embed.',
    remedy: "Set security.tls.cert, or tls.ca_file when a proxy with a private CA ends agents' TLS.",
  },
  TLS_SYSTEM_UNKNOWN_CA: {
    severity: 'warning',
    exit: 3,
    meaning: "`trust: system` is set, but the certificate's issuer is not among the well-known CAs.",
    remedy:
      'Use `trust: embed`, name the CA in tls.ca_file, or have startup_script add it to the CAs of the machine.',
  },
  TLS_PUBLIC_ROOT_IN_FILE: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The certificate file holds the root of a public CA, which may use another one at the next renewal.',
    remedy:
      'Remove the root from the file: masters send the chain without it, and `trust: auto` finds it. With `trust: embed`, use `trust: auto`.',
  },
  TLS_CA_LEFT_OUT: {
    severity: 'warning',
    exit: 3,
    meaning: 'A certificate of tls.ca_file is not usable and left out; the others are embedded.',
    remedy: 'Remove it from the file, or renew it.',
  },
  TLS_NAME_MISMATCH: {
    severity: 'error',
    exit: 3,
    meaning: 'The configured certificate name is not one the server certificate is valid for.',
    remedy: 'Use one of the names listed in the message, or issue the certificate for this one.',
  },
  TLS_NAME_NEEDED: {
    severity: 'error',
    exit: 3,
    meaning: 'Agents dial an IP address and the certificate they will see is not known here.',
    remedy: 'Set master_cert_name to the name in that certificate.',
  },
  TLS_NO_USABLE_NAME: {
    severity: 'error',
    exit: 3,
    meaning: 'The server certificate has DNS names, but none that both Go and OpenSSL accept.',
    remedy: 'Issue it with a plain host name, such as master.example.com.',
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
    meaning: '`agent_config_file_contents` contradicts how agents are to trust the master.',
    remedy: 'Remove the setting from agent_config_file_contents, or choose the matching tls.trust.',
  },
  AGENT_CONFIG_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'The agent would refuse its merged configuration.',
    remedy: 'Correct agent_config_file_contents.',
  },
  CLIENT_CERT_REQUIRED: {
    severity: 'error',
    exit: 3,
    meaning: 'The master demands a client certificate and the agents have none.',
    remedy: 'Set security.tls.client_cert and client_key in agent_config_file_contents.',
  },
  CERTS_EXIST: {
    severity: 'error',
    exit: 3,
    meaning: 'A file of the development certificates already exists; nothing is overwritten.',
    remedy: 'Choose another --out folder, or remove the old files first.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of settings in agent_config_file_contents that agents take, but not as they were meant.

export const agentConfigCodes = {
  AGENT_CONFIG_NO_EFFECT: {
    severity: 'warning',
    exit: 3,
    meaning: 'A setting in agent_config_file_contents changes nothing on the agents.',
    remedy: 'Remove it, or set the key of the pool that the message names.',
  },
  AGENT_CONFIG_UNVERIFIED: {
    severity: 'warning',
    exit: 3,
    meaning: 'Agents trust a certificate file on their own disk, so that nothing can be verified from here.',
    remedy: 'Use `tls: {trust: embed, ca_file: …}` with a copy of that file.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of making a development CA.

export const certsCodes = {
  CERTS_REQUEST_INVALID: {
    severity: 'error',
    exit: 2,
    meaning: 'A certificate was asked for with a name, address or lifetime that no certificate can have.',
    remedy:
      'Give DNS names with --name, IP addresses with --ip and a lifetime of 1 to 36500 days with --days.',
  },
  CERTS_NOT_WRITTEN: {
    severity: 'error',
    exit: 1,
    meaning: 'The files of a development CA could not be written; none of them was left behind.',
    remedy: 'Choose a folder that this user can write to.',
  },
} as const satisfies Record<string, CodeInfo>

export const tlsCodes = {
  ...tlsFileCodes,
  ...certificateCodes,
  ...trustCodes,
  ...agentConfigCodes,
  ...certsCodes,
} as const satisfies Record<string, CodeInfo>
