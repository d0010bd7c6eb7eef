// Codes of the built-in agent: why it does not start, and why it stops.
import type { CodeInfo } from './code-info.ts'

export const agentCodes = {
  AGENT_OPTION_INVALID: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent cannot use one of its options: a flag, a DET_ variable or a key of agent.yaml.',
    remedy: 'Correct it; `provision agent --help` lists all options.',
  },
  AGENT_OPTION_UNUSED: {
    severity: 'warning',
    exit: 1,
    meaning: "Determined's agent has this option; the built-in agent ignores it.",
    remedy: "Remove it, or run Determined's agent.",
  },
  AGENT_FILE_UNREADABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent cannot read a file named by its options, or the content of the file is invalid.',
    remedy: 'Correct the path, the permissions or the content of the file the message names.',
  },
  AGENT_DEVICES_UNREADABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The tool that lists the accelerators of this machine printed invalid output.',
    remedy: 'Run the tool by hand and repair the driver, or set slot_type to cpu or none.',
  },
  AGENT_WORK_FOLDER: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent cannot use its folder for the files of its tasks.',
    remedy:
      "Remove the file or folder in the message, or set TMPDIR to a folder that only the agent's user may write.",
  },
  AGENT_CONNECTION_LOST: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent lost the connection to its master, and every attempt to reconnect failed.',
    remedy:
      'Check why the master cannot be reached; agent_reconnect_attempts and agent_reconnect_backoff set how long the agent tries.',
  },
  AGENT_SHUT_DOWN: {
    severity: 'error',
    exit: 1,
    meaning:
      'The master ordered the agent to stop: it reconnected too late, with other devices, or for another pool.',
    remedy: 'Restart the agent.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of agents that did not join, and of the master's listener.

export const joinCodes = {
  AGENT_DIAL_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'An agent could not connect to its master, or does not trust its certificate.',
    remedy:
      "Check address, port and firewall, and that the agent's CA certificate is that of the master's CA.",
  },
  AGENT_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The master rejected the agent.',
    remedy: 'Correct the pool, the id or the certificate that the message names.',
  },
  CERTIFICATE_NOT_SERVED: {
    severity: 'error',
    exit: 3,
    meaning: 'The TLS listener cannot use a certificate and key; a running listener keeps the previous pair.',
    remedy: 'Name a PEM certificate chain, server certificate first, and its unencrypted key.',
  },
  JOURNAL_SET_ASIDE: {
    severity: 'warning',
    exit: 1,
    meaning: 'A state file was truncated, altered or written by another program; it was renamed and kept.',
    remedy: 'Inspect the renamed file; after a crash a truncated last record is normal and harmless.',
  },
  JOURNAL_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'A state file cannot be read or written.',
    remedy: 'Check the disk, and that state_dir belongs to the user of this process.',
  },
  LISTEN_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'The operating system refused to listen on the configured address and port.',
    remedy: 'Correct the cause named in the message.',
  },
  LISTEN_NOT_PERMITTED: {
    severity: 'error',
    exit: 1,
    meaning: 'This user may not listen on the configured port.',
    remedy: 'Configure a port of 1024 or above, such as 8443.',
  },
  LISTEN_NO_SUCH_ADDRESS: {
    severity: 'error',
    exit: 1,
    meaning: 'This machine does not have the configured listening address.',
    remedy: 'Configure an address of this machine, or remove the key to listen on all.',
  },
  LISTEN_PORT_TAKEN: {
    severity: 'error',
    exit: 1,
    meaning: 'Another process already listens on the configured port.',
    remedy: 'Stop that process, or configure another port.',
  },
  MASTER_POOL_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'A request names a resource pool that the master does not have.',
    remedy: 'Name one of the pools in resource_pools.',
  },
  TOKEN_FILE_OPEN: {
    severity: 'error',
    exit: 3,
    meaning: 'Other users can read or write the API token file.',
    remedy: 'Set its mode to 0600 (`chmod 600 FILE`), and replace the token if others may have read it.',
  },
  TOKEN_FILE_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The API token file cannot be read or written, or contains no token.',
    remedy:
      'Correct the permissions of the file or its folder, or delete the file so that a new token is created.',
  },
  USERS_FILE_OPEN: {
    severity: 'error',
    exit: 3,
    meaning: 'Other users can read or write the file of users who may log in to the built-in master.',
    remedy:
      'Set its mode to 0600 (`chmod 600 FILE`), and set the passwords again if others may have read it.',
  },
  USERS_FILE_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning:
      'The file of users who may log in to the built-in master cannot be read or written, or has a line of another kind.',
    remedy: 'Correct its permissions, or delete it and run `provision user set NAME` for each user.',
  },
  USER_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'There is no user of that name in the file of users.',
    remedy: '`provision user list` shows the names.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of a Determined master as the source of demand.

export const determinedCodes = {
  DETERMINED_UNREACHABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The Determined master does not answer, so nothing is launched or terminated.',
    remedy: 'Check demand.url, the master and the network; polling continues.',
  },
  DETERMINED_SCHEME: {
    severity: 'error',
    exit: 3,
    meaning:
      'The scheme of demand.url does not match the port: https on a port without TLS, or http on a TLS port.',
    remedy: 'Correct the scheme in demand.url.',
  },
  DETERMINED_CERT_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the Determined master is not trusted.',
    remedy:
      "Set security.tls.cert or demand.ca_file to the chain up to its root, and demand.master_cert_name to one of the certificate's names.",
  },
  DETERMINED_NOT_A_MASTER: {
    severity: 'error',
    exit: 3,
    meaning: 'The server at demand.url is not a Determined master. No password or token was sent.',
    remedy: 'Correct demand.url.',
  },
  DETERMINED_LOGIN_FILE: {
    severity: 'error',
    exit: 3,
    meaning: 'The file with the password or the token for the Determined master cannot be used.',
    remedy:
      'Correct demand.password_file or demand.token_file; the user of this process must be able to read it.',
  },
  DETERMINED_LOGIN_FILE_OPEN: {
    severity: 'warning',
    exit: 3,
    meaning: 'Every user of this machine can read the password or the token for the Determined master.',
    remedy: 'Set the mode of the file to 0600.',
  },
  DETERMINED_LOGIN_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The Determined master rejects the user and password, or the token.',
    remedy: 'Correct demand.user and its file, or replace the token; the files are read again at each login.',
  },
  DETERMINED_LOGIN_SLOW: {
    severity: 'error',
    exit: 1,
    meaning:
      'The Determined master did not answer a login in time. Each login costs it 2 s of CPU, and more on a busy or small machine.',
    remedy: 'Give the master more CPU, or set demand.token_file; the login is retried with growing pauses.',
  },
  DETERMINED_NOT_PERMITTED: {
    severity: 'error',
    exit: 3,
    meaning: 'The user at the Determined master lacks a permission.',
    remedy: 'Make the user an admin of the cluster, see docs/determined.md.',
  },
  DETERMINED_CANNOT_DRAIN: {
    severity: 'error',
    exit: 3,
    meaning:
      'The user at the Determined master may not drain agents. Nothing is launched, because it could never be terminated.',
    remedy:
      'Make the user an admin of the cluster, or with RBAC assign it ClusterAdmin, see docs/determined.md.',
  },
  DETERMINED_WORK_HIDDEN: {
    severity: 'error',
    exit: 3,
    meaning:
      'The user at the master cannot see all jobs of the pool, so it is not known which agents are idle.',
    remedy: 'Grant the user a role that can read every workspace (ClusterAdmin), see docs/determined.md.',
  },
  DETERMINED_POOL_PROVIDED: {
    severity: 'error',
    exit: 3,
    meaning: 'The master launches the agents of this pool itself; both would launch for the same jobs.',
    remedy: "Remove `provider` from this pool in the master's own configuration, and restart the master.",
  },
  DETERMINED_AGENT_AWAY: {
    severity: 'error',
    exit: 1,
    meaning: 'An agent could not be drained or enabled: it is disconnected or has not started.',
    remedy: 'No action is needed: the request is repeated.',
  },
  DETERMINED_FAULT: {
    severity: 'error',
    exit: 1,
    meaning: 'The Determined master returned an unexpected response.',
    remedy: "Check the master's log; the request is repeated.",
  },
  DETERMINED_COMMAND_AGENT: {
    severity: 'error',
    exit: 3,
    meaning:
      'The agents of the pool are agents of this program, which run commands only. A Determined master would give them its jobs, and each would fail.',
    remedy:
      "Use Determined's agent image in a pool of a cloud, or set allow_command_agents: true where no job needs a container.",
  },
  DETERMINED_PLAIN_HTTP: {
    severity: 'warning',
    exit: 3,
    meaning: 'The password or token for the Determined master is sent over a network in plain text.',
    remedy: 'Give the master a certificate, and write https:// in demand.url.',
  },
  NO_SCALE_FROM_ZERO: {
    severity: 'warning',
    exit: 1,
    meaning: 'A Determined master rejects most jobs with slots while a pool without `provider` has no agent.',
    remedy:
      "Remove `placeholder_agent: false`, or set min_instances: 1. With `launch_error: false` in the master's own configuration, experiments wait at zero agents; commands, notebooks and shells with slots are still rejected.",
  },
} as const satisfies Record<string, CodeInfo>

// Codes of `provision simulate`: errors in a trace of jobs.

export const simulateCodes = {
  TRACE_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace of jobs cannot be read.',
    remedy: 'Name a file with --jobs, or `-` for standard input.',
  },
  TRACE_TOO_LARGE: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace is larger than the limit.',
    remedy: 'Simulate a part of it, such as a day or a week.',
  },
  TRACE_NOT_CSV: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace is not valid CSV: not UTF-8, or a misplaced quote.',
    remedy: 'Save it as CSV in UTF-8; `provision simulate --example` prints an example.',
  },
  TRACE_HEADER: {
    severity: 'error',
    exit: 2,
    meaning: 'The first line of the trace does not name the expected columns.',
    remedy: 'Start with `submit,slots,duration`; `id`, `job` and `max_slots` are optional.',
  },
  TRACE_EMPTY: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace has no jobs.',
    remedy: 'Write one line per job below the header; `provision simulate --example` prints an example.',
  },
  TRACE_ROW: {
    severity: 'error',
    exit: 2,
    meaning: 'A line of the trace has more or fewer fields than its header.',
    remedy: 'Write one field per column; quote a field that contains a comma.',
  },
  TRACE_VALUE: {
    severity: 'error',
    exit: 2,
    meaning: 'A field of the trace is not valid for its column.',
    remedy: 'Correct the field; docs/simulate.md describes the columns.',
  },
  TRACE_TOO_MANY_PROBLEMS: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace has too many errors; the rest was not checked.',
    remedy: 'Correct the reported errors; often every line has the same one.',
  },
} as const satisfies Record<string, CodeInfo>
