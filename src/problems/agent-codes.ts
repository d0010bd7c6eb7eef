// Codes of the built-in agent: what keeps it from starting, and what ends it.
import type { CodeInfo } from './code-info.ts'

export const agentCodes = {
  AGENT_OPTION_INVALID: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent cannot use one of its options: a flag, a DET_ variable or a key of agent.yaml.',
    remedy: 'Correct it; `provision agent --help` lists what there is.',
  },
  AGENT_OPTION_UNUSED: {
    severity: 'warning',
    exit: 1,
    meaning: 'The real agent has this option, and the built-in one has no use for it.',
    remedy: 'Remove it, or run the real agent.',
  },
  AGENT_FILE_UNREADABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent cannot read a file that its options name, or what it holds is not what it should be.',
    remedy: 'Correct the path, the permissions or the content of the file the message names.',
  },
  AGENT_DEVICES_UNREADABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The tool that lists the accelerators of this machine answered with something that is no list.',
    remedy: 'Run the tool by hand and mend the driver, or set slot_type to cpu or none.',
  },
  AGENT_WORK_FOLDER: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent has no folder it can keep a task in.',
    remedy: 'Remove what lies there, or set TMPDIR to a folder that only the user of the agent may write.',
  },
  AGENT_CONNECTION_LOST: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent lost its master, and every attempt to reconnect failed.',
    remedy:
      'See why the master cannot be reached; agent_reconnect_attempts and agent_reconnect_backoff set how long is waited.',
  },
  AGENT_SHUT_DOWN: {
    severity: 'error',
    exit: 1,
    meaning:
      'The master told the agent to end: it came back too late, or with other devices or another pool.',
    remedy: 'Start the agent again.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of agents that did not join, and of the listener and the master they join.

export const joinCodes = {
  AGENT_DIAL_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'An agent got no connection to its master, or no trust in it.',
    remedy:
      'Check address, port and firewall, and that the certificate the agent was given is of the CA the master uses.',
  },
  AGENT_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'A master answered an agent that wanted to join, and said no.',
    remedy: 'Read the answer: it names the pool, the id or the certificate at fault.',
  },
  CERTIFICATE_NOT_SERVED: {
    severity: 'error',
    exit: 3,
    meaning:
      'A certificate and key cannot be used by the TLS listener; while it serves, it keeps the pair it has.',
    remedy: 'Name a PEM certificate chain, server certificate first, and the unencrypted key made with it.',
  },
  JOURNAL_SET_ASIDE: {
    severity: 'warning',
    exit: 1,
    meaning: 'A state file was torn, altered or not ours; it was kept under another name.',
    remedy:
      'Look at the file that was kept; after a crash a torn last record is normal and nothing was promised by it.',
  },
  JOURNAL_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'A state file cannot be read or written.',
    remedy: 'Check the disk, and that state_dir belongs to the user this runs as.',
  },
  LISTEN_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'The operating system refused to listen on the configured address and port.',
    remedy: 'Read the error it gave.',
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
    meaning: 'The configured listening address is not one of this machine.',
    remedy: 'Configure an address this machine has, or none, which is all of them.',
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
    meaning: 'The master was asked about a resource pool it does not have.',
    remedy: 'Name one of the pools in resource_pools.',
  },
  TOKEN_FILE_OPEN: {
    severity: 'error',
    exit: 3,
    meaning: 'The file with the token that allows changes can be read or written by other users.',
    remedy: 'Set its mode to 0600, and replace the token if others may have read it.',
  },
  TOKEN_FILE_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The file with the token that allows changes cannot be read or written, or holds none.',
    remedy: 'Mend the file or its folder, or delete it so that a new one is made.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of a Determined master as the source of demand: why it was not reached, not trusted, or is not used.

export const determinedCodes = {
  DETERMINED_UNREACHABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The Determined master does not answer, so nothing is launched or ended.',
    remedy: 'Check demand.url, the master and the network between; it is asked again by itself.',
  },
  DETERMINED_SCHEME: {
    severity: 'error',
    exit: 3,
    meaning: 'The scheme of demand.url is https and the port does not speak TLS, or the other way round.',
    remedy: 'Write https:// or http:// in demand.url, as the master serves.',
  },
  DETERMINED_CERT_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The certificate of the Determined master is not one that is trusted here.',
    remedy:
      "Name the chain up to its root in security.tls.cert or demand.ca_file, and one of the certificate's names in demand.master_cert_name.",
  },
  DETERMINED_NOT_A_MASTER: {
    severity: 'error',
    exit: 3,
    meaning: 'What answers at demand.url is no Determined master; it was sent no password and no token.',
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
    meaning: 'The Determined master does not take the user and password, or the token.',
    remedy: 'Correct demand.user and its file, or renew the token; the files are read again at each login.',
  },
  DETERMINED_NOT_PERMITTED: {
    severity: 'error',
    exit: 3,
    meaning: 'The user at the Determined master may not do what is needed.',
    remedy: 'Make it an admin of the cluster, see docs/determined.md.',
  },
  DETERMINED_NOT_ADMIN: {
    severity: 'warning',
    exit: 3,
    meaning: 'The user at the Determined master is no admin: agents cannot be drained, so idle VMs stay.',
    remedy: 'Make it an admin of the cluster, see docs/determined.md.',
  },
  DETERMINED_WORK_HIDDEN: {
    severity: 'error',
    exit: 3,
    meaning: 'The master hides work of the pool from our user, so nobody can tell which agents are idle.',
    remedy: 'Give the user a role that sees every workspace (ClusterAdmin), see docs/determined.md.',
  },
  DETERMINED_POOL_PROVIDED: {
    severity: 'error',
    exit: 3,
    meaning: 'The master launches the agents of this pool itself; two would launch for the same work.',
    remedy: "Remove `provider` from this pool in the master's own configuration, and restart the master.",
  },
  DETERMINED_AGENT_AWAY: {
    severity: 'error',
    exit: 1,
    meaning:
      'An agent could not be drained or enabled, because it has lost its connection or has not started.',
    remedy: 'Nothing to do: it is asked again.',
  },
  DETERMINED_FAULT: {
    severity: 'error',
    exit: 1,
    meaning: 'The Determined master answered, but not with what was asked for.',
    remedy: "Look into the master's log; it is asked again by itself.",
  },
  DETERMINED_PLAIN_HTTP: {
    severity: 'warning',
    exit: 3,
    meaning: 'The password or token for the Determined master crosses a network in plain text.',
    remedy: 'Give the master a certificate, and write https:// in demand.url.',
  },
  PLACEHOLDER_EXPERIMENTAL: {
    severity: 'warning',
    exit: 1,
    meaning:
      'A placeholder agent shows the master slots that are not there. It was never tried on a real master, and work given to it in the moment before it is disabled fails.',
    remedy: 'Set min_instances: 1 and demand.placeholder_agent: false where that must not happen.',
  },
  NO_SCALE_FROM_ZERO: {
    severity: 'warning',
    exit: 1,
    meaning:
      'A Determined master refuses most work that needs slots while a pool without `provider` has no agent.',
    remedy:
      "Set min_instances: 1. With `launch_error: false` in the master's own configuration, experiments wait at zero agents; commands, notebooks and shells with slots are refused all the same.",
  },
} as const satisfies Record<string, CodeInfo>

// Codes of `provision simulate`: what can be wrong with a trace of jobs.

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
    meaning: 'The trace is larger than what is simulated in one piece.',
    remedy: 'Simulate a part of it: a day or a week tells as much.',
  },
  TRACE_NOT_CSV: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace is not CSV text: not UTF-8, or a quote that is opened or closed in the wrong place.',
    remedy: 'Save it as CSV in UTF-8; `provision simulate --example` prints one.',
  },
  TRACE_HEADER: {
    severity: 'error',
    exit: 2,
    meaning: 'The first line of the trace does not name the columns as it should.',
    remedy: 'Begin with `submit,slots,duration`; `id`, `job` and `max_slots` may follow.',
  },
  TRACE_EMPTY: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace holds no job.',
    remedy: 'Give it one line per job below the header; `provision simulate --example` prints one.',
  },
  TRACE_ROW: {
    severity: 'error',
    exit: 2,
    meaning: 'A line of the trace has more or fewer fields than its header.',
    remedy: 'Give each line one field per column; quote a field that holds a comma.',
  },
  TRACE_VALUE: {
    severity: 'error',
    exit: 2,
    meaning: 'A field of the trace is not what its column holds.',
    remedy: 'See docs/simulate.md for what each column holds.',
  },
  TRACE_TOO_MANY_PROBLEMS: {
    severity: 'error',
    exit: 2,
    meaning: 'So much is wrong with the trace that the rest of it was not looked at.',
    remedy: 'Correct what is named above; it is often one mistake in every line.',
  },
} as const satisfies Record<string, CodeInfo>
