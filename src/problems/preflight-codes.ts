// Codes of the preflight: dialling the master before launching, as an agent would.
import type { CodeInfo } from './code-info.ts'

// Codes of the certificates that the master presented.

export const preflightCertificateCodes = {
  PREFLIGHT_UNKNOWN_CA: {
    severity: 'error',
    exit: 4,
    meaning: "The master's certificate is not from a CA that agents would trust.",
    remedy: 'Put the chain that the master serves, up to its root, into security.tls.cert.',
  },
  PREFLIGHT_OTHER_SELF_SIGNED: {
    severity: 'error',
    exit: 4,
    meaning: 'The master presents a self-signed certificate that is not the one agents would trust.',
    remedy: 'Put the certificate that the master serves into security.tls.cert.',
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
    meaning:
      'Agents would join, but Python and Node tasks could not verify the master: the root CA is missing.',
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
    remedy: 'Wait until it is valid or reissue it; if the date looks wrong, check the clock of this machine.',
  },
  PREFLIGHT_WRONG_NAME: {
    severity: 'error',
    exit: 4,
    meaning: "The master's certificate is not valid for the name agents verify.",
    remedy:
      "Set master_cert_name to one of the certificate's names, or reissue the certificate with this name.",
  },
  PREFLIGHT_BAD_PURPOSE: {
    severity: 'error',
    exit: 4,
    meaning:
      'A certificate of the chain has the wrong purpose: it is not for TLS servers, or its issuer is not a CA.',
    remedy: 'Issue the server certificate with extendedKeyUsage serverAuth, from CAs with CA:TRUE.',
  },
  PREFLIGHT_BAD_CA: {
    severity: 'error',
    exit: 4,
    meaning: 'A certificate signed one that it may not sign, or the chain has too many CAs.',
    remedy: 'Issue the CAs with CA:TRUE, keyCertSign and a sufficient path length.',
  },
  PREFLIGHT_BAD_SIGNATURE: {
    severity: 'error',
    exit: 4,
    meaning: 'A signature in the presented chain is invalid: often a CA with the same name and another key.',
    remedy: 'Put the chain that the master serves, up to its root, into security.tls.cert.',
  },
  PREFLIGHT_TOO_WEAK: {
    severity: 'error',
    exit: 4,
    meaning: 'A key or signature of the presented chain is too weak (RSA below 2048 bits, SHA-1, MD5).',
    remedy: 'Reissue the certificates: ECDSA P-256 or RSA 2048, signed with SHA-256.',
  },
  PREFLIGHT_BAD_CERTIFICATE: {
    severity: 'error',
    exit: 4,
    meaning: 'The presented chain breaks a rule of X.509, such as a critical extension or name constraints.',
    remedy: 'Reissue the named certificate.',
  },
  PREFLIGHT_GO_REFUSES: {
    severity: 'error',
    exit: 4,
    meaning: 'OpenSSL accepts what the master presents, but Go agents could not use one of the certificates.',
    remedy: 'Reissue the named certificate: ECDSA P-256 or RSA 2048, by the rules of RFC 5280.',
  },
  PREFLIGHT_MASTER_NOT_RESTARTED: {
    severity: 'warning',
    exit: 4,
    meaning:
      'The certificate that the master presents is not the one in the file: the master reads the file only when it starts.',
    remedy: 'Restart the master (or reload the proxy) before the presented certificate expires.',
  },
  PREFLIGHT_TASKS_LACK_ROOT: {
    severity: 'warning',
    exit: 4,
    meaning: 'The master serves its chain without the root. Tasks get the same file, and Python rejects it.',
    remedy: "Append the root CA to the master's own certificate file and restart it.",
  },
} as const satisfies Record<string, CodeInfo>

/** The preflight proved nothing: agents may still reach the master from their network. */
const unreachable = {
  PREFLIGHT_NO_ADDRESS: {
    severity: 'error',
    exit: 4,
    meaning: 'Agents dial an address that only they can resolve, such as `local-ipv4`.',
    remedy: 'Set preflight_address to an address at which this machine reaches the master.',
  },
  PREFLIGHT_DNS_NOT_FOUND: {
    severity: 'error',
    exit: 4,
    meaning: "The master's name cannot be resolved on this machine.",
    remedy: 'Correct master_url; if only agents can resolve it, set preflight_address.',
  },
  PREFLIGHT_DNS_FAILED: {
    severity: 'error',
    exit: 4,
    meaning: 'The name server did not answer, or answered with a failure.',
    remedy: 'Check the name server of this machine, or set preflight_address to an IP address.',
  },
  PREFLIGHT_REFUSED: {
    severity: 'error',
    exit: 4,
    meaning: 'Nothing listens on the master port.',
    remedy: 'Start the master, or correct host and port of master_url.',
  },
  PREFLIGHT_UNREACHABLE: {
    severity: 'error',
    exit: 4,
    meaning: 'The connection attempt timed out: a firewall blocks it, or the host is down.',
    remedy: 'Open the master port to agents and to this machine, or set preflight_address.',
  },
  PREFLIGHT_NO_ROUTE: {
    severity: 'error',
    exit: 4,
    meaning: 'This machine has no route to the master.',
    remedy: 'Run the provisioner on a machine that can reach the master, or set preflight_address.',
  },
  PREFLIGHT_NO_TLS_ANSWER: {
    severity: 'error',
    exit: 4,
    meaning: 'The master port accepts connections but does not answer the TLS handshake.',
    remedy: 'Check that the master runs and is not overloaded, and what listens on that port.',
  },
  PREFLIGHT_CLOSED_IN_HANDSHAKE: {
    severity: 'error',
    exit: 4,
    meaning:
      'The connection was closed during the TLS handshake: often a load balancer without a healthy target.',
    remedy: 'Check the load balancer or proxy in front of the master, and that the master runs.',
  },
  PREFLIGHT_CLOSED_AFTER_CONNECT: {
    severity: 'error',
    exit: 4,
    meaning: 'The connection was closed before the HTTP answer.',
    remedy: "Check the master's log for the reason.",
  },
  PREFLIGHT_NO_HTTP_ANSWER: {
    severity: 'error',
    exit: 4,
    meaning: 'The master port accepted the connection but did not answer `GET /info`.',
    remedy: 'Check that the master runs and is not overloaded, and what listens on that port.',
  },
  PREFLIGHT_UNAVAILABLE: {
    severity: 'error',
    exit: 4,
    meaning: 'The port answers with a temporary HTTP status: 408, 425, 429 or 5xx.',
    remedy:
      'Check the logs of the proxy and of the master; `curl -k MASTER_URL/info` shows the whole answer.',
  },
  PREFLIGHT_FAILED: {
    severity: 'error',
    exit: 4,
    meaning: 'The connection failed with an unknown error. It is retried.',
    remedy: 'Run `openssl s_client -connect HOST:PORT` on this machine and look up its error.',
  },
} as const satisfies Record<string, CodeInfo>

/** The master answered, but agents could not join. */
const wrongService = {
  PREFLIGHT_NOT_TLS: {
    severity: 'error',
    exit: 4,
    meaning: 'Agents would speak TLS to a port without TLS.',
    remedy: "Use the master's TLS port, give the master a certificate, or write http in master_url.",
  },
  PREFLIGHT_TLS_PORT: {
    severity: 'error',
    exit: 4,
    meaning: 'Agents would speak plain HTTP to a TLS port.',
    remedy: 'Write https in master_url and set security.tls.cert.',
  },
  PREFLIGHT_NOT_HTTP: {
    severity: 'error',
    exit: 4,
    meaning: 'The service on the master port does not speak HTTP.',
    remedy: 'Correct the port of master_url.',
  },
  PREFLIGHT_TLS_TOO_OLD: {
    severity: 'error',
    exit: 4,
    meaning: 'The master offers nothing newer than TLS 1.1; agents require 1.2.',
    remedy: 'Enable TLS 1.2 or 1.3 on the master or on the proxy in front of it.',
  },
  PREFLIGHT_HANDSHAKE_REFUSED: {
    severity: 'error',
    exit: 4,
    meaning:
      'The master refused the handshake: no cipher, curve or key type in common with Go agents, or it requires a client certificate under TLS 1.2.',
    remedy: 'Give the master an ECDSA P-256 or RSA certificate and allow ECDHE with AES-GCM.',
  },
  PREFLIGHT_SNI_REFUSED: {
    severity: 'error',
    exit: 4,
    meaning: 'The master rejects the server name (SNI) that agents send.',
    remedy: 'Set master_cert_name to a name the master or its proxy serves.',
  },
  JOIN_ANYONE_ACCEPTED: {
    severity: 'error',
    exit: 4,
    meaning: 'A pool requires join proofs, but the master accepts agents without a client certificate.',
    remedy:
      "Set `resource_manager: {require_authentication: true, client_ca: FILE}` on the master, with the agents' CA in FILE, and restart it.",
  },
  JOIN_FOREIGN_ACCEPTED: {
    severity: 'error',
    exit: 4,
    meaning: 'The master, or a proxy in front of it, accepts client certificates of any CA.',
    remedy: "Set client_ca on the master, or the client CA of the proxy, to the agents' CA only.",
  },
  JOIN_CERTIFICATE_REFUSED: {
    severity: 'error',
    exit: 4,
    meaning:
      "The master refuses the certificates that the provisioner issues to instances: its client_ca is empty, unreadable, or not the agents' CA.",
    remedy:
      "Write the agents' CA into the file that client_ca of the master names, and restart the master: it reads the file when it starts.",
  },
  PREFLIGHT_CLIENT_CERT_REQUIRED: {
    severity: 'error',
    exit: 4,
    meaning: 'The master, or a proxy in front of it, requires a client certificate.',
    remedy:
      'Write `join: required` in the provider of the pool, or set security.tls.client_cert and client_key in agent_config_file_contents.',
  },
  PREFLIGHT_CHAIN_TOO_LARGE: {
    severity: 'error',
    exit: 4,
    meaning: 'The master presents more bytes of certificates than agents or tasks read in one TLS message.',
    remedy:
      'Remove certificates that are not part of its chain, such as a CA bundle, from the file the master serves.',
  },
  PREFLIGHT_NOT_A_MASTER: {
    severity: 'error',
    exit: 4,
    meaning:
      'The port speaks HTTP, but `/info` is not answered by a master: it may be a proxy, a sign-in page or another service.',
    remedy:
      'Correct master_url, or let the proxy pass `/info`; if it must hide `/info`, set `preflight_proof: agent_socket`; if the master is not a Determined master, `preflight_proof: http`.',
  },
  PREFLIGHT_NO_UPGRADE: {
    severity: 'error',
    exit: 4,
    meaning: 'The WebSocket upgrade of `/agents`, with which agents join, does not reach the master.',
    remedy:
      'Configure the proxy to pass WebSocket upgrades of `/agents` (nginx: proxy_http_version 1.1 with the Upgrade and Connection headers).',
  },
} as const satisfies Record<string, CodeInfo>

/** Agents can probably join, but this is not certain. */
const doubts = {
  PREFLIGHT_UNVERIFIED: {
    severity: 'warning',
    exit: 4,
    meaning: 'This machine could not verify that agents can join; one instance is launched first as a test.',
    remedy: 'No action is needed if the instance joins; otherwise correct the reason in the message.',
  },
  PREFLIGHT_STANDBY: {
    severity: 'warning',
    exit: 4,
    meaning:
      'One of several addresses in `master_url` is that of a standby, which takes agents once it leads.',
    remedy: 'No action is needed while another master serves.',
  },
  PREFLIGHT_OTHER_MASTER: {
    severity: 'warning',
    exit: 4,
    meaning: 'Agents could not join at one of several addresses in `master_url`, also not after a take-over.',
    remedy: 'Start the master at that address, or correct the address or its certificate.',
  },
  AGENT_VERSION_DIFFERS: {
    severity: 'warning',
    exit: 4,
    meaning: 'The versions of the agent image and the master differ.',
    remedy: "Set `agent_docker_image` to the image of the master's version.",
  },
} as const satisfies Record<string, CodeInfo>

export const preflightCodes = {
  ...unreachable,
  ...wrongService,
  ...preflightCertificateCodes,
  ...doubts,
  PREFLIGHT_PENDING: {
    severity: 'warning',
    exit: 4,
    meaning: 'The preflight has not run yet, so nothing is launched yet.',
    remedy: 'Wait a few seconds.',
  },
} as const satisfies Record<string, CodeInfo>
