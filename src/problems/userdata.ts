// Codes of rendering, checking and packing user data.
import type { CodeInfo } from './code-info.ts'

export const userDataCodes = {
  USER_DATA_TEXT: {
    severity: 'error',
    exit: 3,
    meaning:
      'A value cannot be put into a shell script: it holds a NUL character or half of a surrogate pair.',
    remedy: 'Remove the character from the value named in the message.',
  },
  USER_DATA_SECRET: {
    severity: 'error',
    exit: 3,
    meaning:
      'Something that looks like a secret would enter user data, which every process on the VM can read.',
    remedy:
      'Fetch it on the VM (instance role, secret manager), or set `allow_secrets_in_user_data: true` when it is harmless.',
  },
  USER_DATA_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning: 'User data is over the limit of the cloud even when compressed.',
    remedy: 'Let startup_script fetch the large part on the VM, or put it into the machine image.',
  },
  USER_DATA_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'The bytes given are not user data of this program: neither a script nor a packed one.',
    remedy: 'Give it the bytes or the base64 text that the cloud shows for the VM.',
  },
  AGENT_COMMAND_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'The agent is to run as a process, but there is no command to start it.',
    remedy: 'Use `agent_runtime: docker`.',
  },
  CONTAINER_SCRIPT_UNUSED: {
    severity: 'warning',
    exit: 3,
    meaning: '`container_startup_script` is set, but the agent does not run in a container.',
    remedy: 'Move it to `startup_script`, or use `agent_runtime: docker`.',
  },
  TEMPLATE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The file named by `agent_setup_template` cannot be read.',
    remedy: 'Check the path, which starts from the folder of master.yaml, and who may read the file.',
  },
  TEMPLATE_SYNTAX: {
    severity: 'error',
    exit: 3,
    meaning: 'The template is not valid Handlebars.',
    remedy: 'Correct the place named in the message; see docs/user-data.md.',
  },
  TEMPLATE_NOT_ALLOWED: {
    severity: 'error',
    exit: 3,
    meaning: 'The template uses a Handlebars feature through which a value could reach the shell unquoted.',
    remedy: 'Use only {{sh name}}, {{list name}}, {{text name}}, #if, #unless and our partials.',
  },
  TEMPLATE_UNKNOWN_NAME: {
    severity: 'error',
    exit: 3,
    meaning: 'The template uses a name that it is not given, or in a way that does not fit the value.',
    remedy: 'See the list of names in docs/user-data.md.',
  },
  TEMPLATE_POSITION: {
    severity: 'error',
    exit: 3,
    meaning: 'A value stands where the shell would interpret it: inside quotes, a heredoc, or a longer line.',
    remedy: 'Assign it on a line of its own, `NAME={{sh name}}`, and use "$NAME" everywhere else.',
  },
  TEMPLATE_NO_SHEBANG: {
    severity: 'error',
    exit: 3,
    meaning: 'The template does not begin with `#!`, so the cloud would not run it.',
    remedy: 'Begin it with `#!/bin/bash`.',
  },
} as const satisfies Record<string, CodeInfo>
