// Codes of getting from a file to YAML values.
import type { CodeInfo } from './code-info.ts'

export const configFileCodes = {
  CONFIG_FILE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file does not exist.',
    remedy: 'Name the file with -c, or with DET_CONFIG_FILE.',
  },
  CONFIG_FILE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file exists but cannot be read.',
    remedy: 'Give this user the right to read the file.',
  },
  CONFIG_FILE_IS_DIRECTORY: {
    severity: 'error',
    exit: 3,
    meaning: 'The path of the configuration file names a directory.',
    remedy: 'Name the file itself, such as DIRECTORY/master.yaml.',
  },
  CONFIG_FILE_EMPTY: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file holds nothing but blanks and comments.',
    remedy: 'Start from one of the files in examples/.',
  },
  CONFIG_FILE_NOT_TEXT: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file is not UTF-8 text.',
    remedy: 'Save it as UTF-8.',
  },
  YAML_SYNTAX: {
    severity: 'error',
    exit: 3,
    meaning: 'The text is not YAML.',
    remedy: 'Correct the line; the cause may be on the line above.',
  },
  YAML_TAB: {
    severity: 'error',
    exit: 3,
    meaning: 'A tab is used for indentation, which YAML forbids.',
    remedy: 'Indent with spaces; most editors can convert tabs.',
  },
  YAML_DUPLICATE_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A mapping sets the same key twice.',
    remedy: 'Keep one of the two.',
  },
  YAML_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A key is empty, or is itself a list or a mapping.',
    remedy: 'Write the key as a plain word before the ":".',
  },
  YAML_MERGE: {
    severity: 'error',
    exit: 3,
    meaning: 'What "<<" merges is not a mapping.',
    remedy: 'Let "<<" name an anchor of a mapping, such as `<<: *defaults`.',
  },
  YAML_UNKNOWN_ALIAS: {
    severity: 'error',
    exit: 3,
    meaning: 'An alias names an anchor that does not stand before it.',
    remedy: 'Define the anchor (&name) first; put quotes around a text that starts with "*".',
  },
  YAML_TAG: {
    severity: 'error',
    exit: 3,
    meaning: 'A tag such as !Ref is not known here, so its value would be taken literally.',
    remedy: 'Remove the tag and write the value itself; put quotes around a text that starts with "!".',
  },
  YAML_SEVERAL_DOCUMENTS: {
    severity: 'error',
    exit: 3,
    meaning: 'The file holds several YAML documents.',
    remedy: 'Remove the "---" line, or move what follows it into a file of its own.',
  },
  YAML_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning: 'Aliases or nesting make the file expand beyond all measure.',
    remedy: 'Write repeated values out, or use fewer levels.',
  },
  YAML_CHARACTER: {
    severity: 'error',
    exit: 3,
    meaning:
      'The text holds a character no configuration can carry: NUL, half a surrogate pair, an inner byte order mark.',
    remedy: 'Remove the character; an editor that shows invisible characters finds it.',
  },
  YAML_BYTE_ORDER_MARK: {
    severity: 'warning',
    exit: 3,
    meaning: 'The file begins with a byte order mark; it is read over.',
    remedy: 'Save the file as UTF-8 without byte order mark.',
  },
} as const satisfies Record<string, CodeInfo>
