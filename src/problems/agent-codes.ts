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
