// Codes of settings in agent_config_file_contents that agents take, but not as they were meant.
import type { CodeInfo } from './code-info.ts'

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
