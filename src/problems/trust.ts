// Codes of the trust plan: how agents trust the master, under which name, and what their configuration says about it.
import type { CodeInfo } from './code-info.ts'

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
    remedy: "Use `trust: embed`, or make sure agents' images carry the CA.",
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
