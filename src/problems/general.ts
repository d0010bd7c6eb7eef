// Codes any part of the program can raise.
import type { CodeInfo } from './code-info.ts'

export const generalCodes = {
  INTERNAL: {
    severity: 'error',
    exit: 1,
    meaning: 'A fault in this program, not in what it was given.',
    remedy: 'Report it with the message and the version printed by `provision version`.',
  },
  USAGE: {
    severity: 'error',
    exit: 2,
    meaning: 'The command line was not understood.',
    remedy: 'See `provision help`.',
  },
  NO_PROVIDED_POOLS: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration has no pool whose agents are to be launched.',
    remedy: 'Give a pool a `provider`, see docs/configuration.md.',
  },
  FILE_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'A file named on the command line cannot be read.',
    remedy: 'Check its name and its permissions.',
  },
  CLUSTER_ID_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'A policy has to name the cluster its VMs are marked with, and there is no name yet.',
    remedy: 'Set `cluster_id` in the configuration, or start `provision` once where it will run.',
  },
  FILE_NOT_WRITTEN: {
    severity: 'error',
    exit: 1,
    meaning: 'A file that was asked for cannot be written.',
    remedy: 'Check the folder, who may write there, and the space left.',
  },
} as const satisfies Record<string, CodeInfo>
