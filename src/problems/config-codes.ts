// Codes of reading and checking the configuration.
import type { CodeInfo } from './code-info.ts'
import { joinConfigCodes } from './join-config-codes.ts'

// Codes of reading a file as YAML.

export const configFileCodes = {
  CONFIG_FILE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file does not exist.',
    remedy: 'Pass the path of the file with -c or in DET_CONFIG_FILE.',
  },
  CONFIG_FILE_UNREADABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file exists but cannot be read.',
    remedy: 'Let this user read the file.',
  },
  CONFIG_FILE_IS_DIRECTORY: {
    severity: 'error',
    exit: 3,
    meaning: 'The path of the configuration file is a directory.',
    remedy: 'Pass the path of the file, such as DIRECTORY/master.yaml.',
  },
  CONFIG_FILE_BROKEN: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The configuration file has an error. The command needs only its state_dir and continues; a running provisioner keeps the last valid configuration.',
    remedy: 'Run `provision validate` and correct the file; until then a restart of the provisioner fails.',
  },
  CONFIG_FILE_EMPTY: {
    severity: 'error',
    exit: 3,
    meaning: 'The configuration file has only blank lines and comments.',
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
    meaning: 'The value of "<<" is not a mapping.',
    remedy: 'Set "<<" to the alias of a mapping, such as `<<: *defaults`.',
  },
  YAML_UNKNOWN_ALIAS: {
    severity: 'error',
    exit: 3,
    meaning: 'An alias names an anchor that is not defined before it.',
    remedy: 'Define the anchor (&name) first; put quotes around a string that starts with "*".',
  },
  YAML_TAG: {
    severity: 'error',
    exit: 3,
    meaning: 'A tag such as !Ref is unknown, so its value would be used literally.',
    remedy: 'Remove the tag and write the value itself; put quotes around a string that starts with "!".',
  },
  YAML_SEVERAL_DOCUMENTS: {
    severity: 'error',
    exit: 3,
    meaning: 'The file has several YAML documents.',
    remedy: 'Remove the "---" line, or move the lines below it into a separate file.',
  },
  YAML_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning: 'Aliases or nesting expand the file beyond the limit.',
    remedy: 'Write repeated values out, or use fewer levels.',
  },
  YAML_CHARACTER: {
    severity: 'error',
    exit: 3,
    meaning:
      'The file has a character that is not allowed: NUL, a lone surrogate, or a byte order mark inside the text.',
    remedy: 'Remove the character; an editor that shows invisible characters finds it.',
  },
  YAML_BYTE_ORDER_MARK: {
    severity: 'warning',
    exit: 3,
    meaning: 'The file starts with a byte order mark; it is ignored.',
    remedy: 'Save the file as UTF-8 without byte order mark.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of keys and values in any block.

export const configKeyCodes = {
  CONFIG_NOT_A_MAPPING: {
    severity: 'error',
    exit: 3,
    meaning: 'The file is a list or a single value instead of a mapping.',
    remedy: 'Write "key: value" lines; examples/ has complete files.',
  },
  CONFIG_UNKNOWN_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'Unknown key.',
    remedy: 'Correct the spelling, or remove the key; docs/configuration.md lists the keys.',
  },
  CONFIG_SUSPECT_KEY: {
    severity: 'warning',
    exit: 3,
    meaning:
      'A key in a block of the master is probably a misspelt key of the provisioner, or is in the wrong block.',
    remedy: 'Correct the spelling, or move the key; as written it has no effect.',
  },
  CONFIG_MISSING_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A required key is missing.',
    remedy: 'Add the key.',
  },
  CONFIG_WRONG_TYPE: {
    severity: 'error',
    exit: 3,
    meaning: 'A value has the wrong type.',
    remedy: 'Write the value as docs/configuration.md shows it.',
  },
  CONFIG_BAD_CHOICE: {
    severity: 'error',
    exit: 3,
    meaning: 'The value is not one of the allowed choices.',
    remedy: 'Use one of the choices named in the message.',
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
    meaning: 'A value does not have the required form.',
    remedy: 'Write the value in the form named in the message.',
  },
  CONFIG_PLACEHOLDER: {
    severity: 'error',
    exit: 3,
    meaning: 'A value is a placeholder such as $AMI_ID, {{ region }} or CHANGEME that was not replaced.',
    remedy: 'Write the value itself: the provisioner replaces no variables in the file.',
  },
  CONFIG_UNKNOWN_LOCATION: {
    severity: 'warning',
    exit: 3,
    meaning: 'A region or zone has a possible name, but none that is known; it may be new.',
    remedy: 'Correct the spelling, or keep the name if the cloud has added it.',
  },
  CONFIG_UNUSUAL_ID: {
    severity: 'warning',
    exit: 3,
    meaning: 'An id does not have the form of those that the cloud assigns.',
    remedy: 'Copy the id from the console or command line of the cloud.',
  },
  CONFIG_BAD_DURATION: {
    severity: 'error',
    exit: 3,
    meaning: "A duration is a number, or is not in Go's syntax.",
    remedy: 'Write numbers with units (h, m, s, ms), such as "90s", "20m" or "1h30m".',
  },
  CONFIG_CONFLICT: {
    severity: 'error',
    exit: 3,
    meaning: 'Two settings cannot be combined.',
    remedy: 'Keep one of the two settings named in the message.',
  },
  CONFIG_NEEDS_KEY: {
    severity: 'error',
    exit: 3,
    meaning: 'A setting needs another setting.',
    remedy: 'Add the key named in the message, or remove the setting.',
  },
  CONFIG_DUPLICATE: {
    severity: 'error',
    exit: 3,
    meaning: 'A list has the same value twice, or a name is already used.',
    remedy: 'Keep one of them, or rename the other.',
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
      'The built-in master admits only agents of instances that it launched, and this pool has no provider.',
    remedy:
      'Write `agents: any` if every agent that reaches the master may join the pool and run its jobs; otherwise add a provider to the pool.',
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
    meaning: 'An environment variable that overrides the file has an invalid value.',
    remedy: 'Correct or unset the variable.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of providers, the master's address and machine types.

export const configProviderCodes = {
  PROVIDER_TYPE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A provider has no `type`, so its other keys cannot be read.',
    remedy: 'Add `type`; docs/configuration.md lists the types.',
  },
  PROVIDER_TYPE_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'The type of a provider is unknown.',
    remedy: 'Write a type that docs/configuration.md lists.',
  },
  PROVIDER_HPC: {
    severity: 'error',
    exit: 3,
    meaning:
      '`type: hpc` belongs to the Slurm and PBS resource managers: their queues start the jobs, and there is no instance to launch.',
    remedy: 'Remove the provider of this pool, or use a type that docs/configuration.md lists.',
  },
  RESOURCE_MANAGER_UNSUPPORTED: {
    severity: 'error',
    exit: 3,
    meaning:
      'The resource manager runs jobs without agents (Kubernetes, Slurm, PBS), so there is nothing to launch.',
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
      '`master_url` contains a user name or password, which would be written into the user data of every instance.',
    remedy: 'Remove everything up to the "@": agents do not log in.',
  },
  MASTER_URL_ONE_HOST: {
    severity: 'error',
    exit: 3,
    meaning:
      "`master_url` has several addresses, but the pool has Determined's agents, which know one master.",
    remedy:
      'Write one address, such as that of a load balancer that asks `/readyz`, or set agent_docker_image to an image of the built-in agent.',
  },
  MASTER_HOST_ALIAS: {
    severity: 'warning',
    exit: 3,
    meaning:
      "The master's host is an alias that only the metadata server of the master's machine can resolve.",
    remedy:
      'No action is needed if the master runs in that cloud; otherwise write the host into master_url, or pass --master-host.',
  },
  MASTER_PORT_ASSUMED: {
    severity: 'warning',
    exit: 3,
    meaning:
      '`master_url` is https without a port, and the master itself has no certificate: a proxy in front of it terminates TLS.',
    remedy: 'Write the port of that proxy into master_url, such as "https://master.example.com:443".',
  },
  CLUSTER_ID_MISSING: {
    severity: 'error',
    exit: 3,
    meaning:
      'Pools in a cloud need a cluster_id: without one, a lost state_dir would leave their instances running, and new ones would be launched beside them.',
    remedy: 'Set `cluster_id` in the configuration to a name that none of your other clusters has.',
  },
  IMAGE_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: 'A cloud provider has no machine image, and there is no built-in one.',
    remedy: 'Set an image; docs/configuration.md has the key, and public images, for each type of provider.',
  },
  INSTANCE_SLOTS_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: 'The number of accelerators of an instance type is not known without asking the cloud.',
    remedy: 'Set it: `instance_types: [{type: …, slots: N}]`.',
  },
  MACHINE_TYPE_INVALID: {
    severity: 'error',
    exit: 3,
    meaning: 'A name is not a Compute Engine machine type.',
    remedy: 'Write it as SERIES-CLASS-SIZE, such as "n1-standard-8", "g2-standard-8" or "custom-4-8192".',
  },
  GPU_TYPE_UNKNOWN: {
    severity: 'error',
    exit: 3,
    meaning: '`gpu_type` is not a GPU that can be attached to a machine.',
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
  ...joinConfigCodes,
} as const satisfies Record<string, CodeInfo>
