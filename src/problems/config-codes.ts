// Codes of reading and checking the configuration.
import type { CodeInfo } from './code-info.ts'

// Codes of getting from a file to YAML values.

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
  CONFIG_FILE_BROKEN: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The configuration file has an error. The command needs its state_dir only, and reached the provisioner that still runs with the last good file.',
    remedy: 'Run `provision validate` and correct the file; until then a restart of the provisioner fails.',
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

// Codes of keys and values, whatever block they stand in.

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
  POOL_ADMITS_NOBODY: {
    severity: 'error',
    exit: 3,
    meaning:
      'The built-in master lets agents join by the instances of their pool, and this pool has no provider that launches any.',
    remedy:
      'Write `agents: any` if every agent that reaches the master may join the pool and be sent work; else give the pool a provider.',
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

// Codes of what providers, the master's address and machines demand.

export const configProviderCodes = {
  PROVIDER_TYPE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A provider does not say of which type it is, so its other keys cannot be understood.',
    remedy: 'Add `type`; docs/configuration.md has the types there are.',
  },
  PROVIDER_TYPE_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'A provider is of a type that does not exist.',
    remedy: 'Write a type that docs/configuration.md has.',
  },
  PROVIDER_HPC: {
    severity: 'error',
    exit: 3,
    meaning:
      '`type: hpc` belongs to the Slurm and PBS resource managers: their queues start the work, and there is no VM to launch.',
    remedy: 'Remove the provider of this pool, or use a type that docs/configuration.md has.',
  },
  RESOURCE_MANAGER_UNSUPPORTED: {
    severity: 'error',
    exit: 3,
    meaning:
      'The resource manager runs work without agents (Kubernetes, Slurm, PBS), so there is nothing to launch.',
    remedy: 'Use `resource_manager: {type: agent}`, or do not run the provisioner beside this master.',
  },
  MASTER_URL_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: '`master_url` is not of the form scheme://host:port.',
    remedy: 'Write it as "https://master.example.com:8443", without a path.',
  },
  MASTER_URL_USERINFO: {
    severity: 'error',
    exit: 3,
    meaning:
      '`master_url` holds a user name or password; it would be written into the user data of every VM.',
    remedy: 'Remove everything up to the "@": agents do not log in.',
  },
  MASTER_HOST_ALIAS: {
    severity: 'warning',
    exit: 3,
    meaning:
      "The master's host is an alias that only the metadata server of the master's machine can resolve.",
    remedy:
      'Nothing to do where the master runs in that cloud; elsewhere write the host into master_url, or pass --master-host.',
  },
  MASTER_PORT_ASSUMED: {
    severity: 'warning',
    exit: 3,
    meaning:
      '`master_url` is https without a port, and the master itself has no certificate: something in front of it ends TLS.',
    remedy: 'Write the port of that proxy into master_url, such as "https://master.example.com:443".',
  },
  CLUSTER_ID_MISSING: {
    severity: 'error',
    exit: 3,
    meaning:
      'Pools in a cloud need a cluster_id: without one, a lost state_dir would leave their instances running, and others would be launched beside them.',
    remedy: 'Set `cluster_id` in the configuration to a name that no other cluster of yours has.',
  },
  IMAGE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A cloud provider names no machine image, and there is no built-in one.',
    remedy: 'Name one; docs/configuration.md has the key, and public images, for each type of provider.',
  },
  INSTANCE_SLOTS_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'The number of accelerators of an instance type is not known without asking the cloud.',
    remedy: 'Say it: `instance_types: [{type: …, slots: N}]`.',
  },
  MACHINE_TYPE_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'A name is not one of a Compute Engine machine type.',
    remedy: 'Write it as SERIES-CLASS-SIZE, such as "n1-standard-8", "g2-standard-8" or "custom-4-8192".',
  },
  GPU_TYPE_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: '`gpu_type` names no GPU that can be attached to a machine.',
    remedy:
      'Use nvidia-tesla-t4, nvidia-tesla-p4, nvidia-tesla-p100 or nvidia-tesla-v100 with an N1 machine.',
  },
  GPU_COUNT_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'This many GPUs of the type cannot be on one machine.',
    remedy: 'Use one of the numbers named in the message.',
  },
  GPU_NOT_ATTACHABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'GPUs of this type cannot be attached to this machine type.',
    remedy:
      'Attach T4, P4, P100 or V100 to an N1 machine, or choose a machine type with built-in GPUs (a2, a3, a4, g2, g4).',
  },
} as const satisfies Record<string, CodeInfo>

export const configCodes = {
  ...configFileCodes,
  ...configKeyCodes,
  ...configProviderCodes,
} as const satisfies Record<string, CodeInfo>
