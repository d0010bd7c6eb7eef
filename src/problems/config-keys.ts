// Codes of keys and values, whatever block they stand in.
import type { CodeInfo } from './code-info.ts'

export const configKeyCodes = {
  CONFIG_NOT_A_MAPPING: {
    severity: 'error',
    exit: 3,
    meaning: 'The file holds a list or a single value instead of keys.',
    remedy: 'Write "key: value" lines; examples/ shows whole files.',
  },
  CONFIG_UNKNOWN_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A block of ours has no such key.',
    remedy: 'Correct the spelling, or remove the key; docs/configuration.md lists them all.',
  },
  CONFIG_SUSPECT_KEY: {
    severity: 'warning',
    exit: 3,
    meaning: 'A key among those of the master nearly spells one of ours, or stands in the wrong block.',
    remedy: 'Correct the spelling or the place; as it stands the key has no effect here.',
  },
  CONFIG_MISSING_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A key that has no default is missing.',
    remedy: 'Add the key.',
  },
  CONFIG_WRONG_TYPE: {
    severity: 'error',
    exit: 3,
    meaning: 'A value is of another type than its key wants.',
    remedy: 'Write the value as docs/configuration.md shows it.',
  },
  CONFIG_BAD_CHOICE: {
    severity: 'error',
    exit: 3,
    meaning: 'A value is none of the words its key knows.',
    remedy: 'Use one of the words named in the message.',
  },
  CONFIG_OUT_OF_RANGE: {
    severity: 'error',
    exit: 3,
    meaning: 'A number is too small or too large, or two numbers contradict each other.',
    remedy: 'Choose a number within the range named in the message.',
  },
  CONFIG_BAD_VALUE: {
    severity: 'error',
    exit: 3,
    meaning: 'A text does not have the form its key wants.',
    remedy: 'Write the value in the form named in the message.',
  },
  CONFIG_BAD_DURATION: {
    severity: 'error',
    exit: 3,
    meaning: 'A duration is a number, or is not written in the syntax of Go.',
    remedy: 'Write numbers with units (h, m, s, ms), such as "90s", "20m" or "1h30m".',
  },
  CONFIG_CONFLICT: {
    severity: 'error',
    exit: 3,
    meaning: 'Two settings exclude each other.',
    remedy: 'Keep one of the two settings named in the message.',
  },
  CONFIG_NEEDS_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A setting means nothing without another one.',
    remedy: 'Add the key named in the message, or remove the setting.',
  },
  CONFIG_DUPLICATE: {
    severity: 'error',
    exit: 3,
    meaning: 'A list names the same thing twice, or a name is taken already.',
    remedy: 'Keep one of them, or give the other a name of its own.',
  },
  CONFIG_UNUSED: {
    severity: 'warning',
    exit: 3,
    meaning: 'A setting has no effect.',
    remedy: 'Remove the setting.',
  },
  CONFIG_FORMS_MIXED: {
    severity: 'error',
    exit: 3,
    meaning:
      'The file uses the old form (provisioner, scheduler) and the new one (resource_manager, resource_pools).',
    remedy: 'Move the provisioner block to `provider` of a pool, and scheduler below resource_manager.',
  },
  CONFIG_ENVIRONMENT: {
    severity: 'error',
    exit: 3,
    meaning: 'An environment variable that overrides the file holds a value that cannot be used.',
    remedy: 'Correct or unset the variable.',
  },
} as const satisfies Record<string, CodeInfo>
