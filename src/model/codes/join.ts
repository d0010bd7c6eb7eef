// Codes of agents that did not join, and of the listener and the master they join.
import type { CodeInfo } from '../problem-codes.ts'

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
} as const satisfies Record<string, CodeInfo>
