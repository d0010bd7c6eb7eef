// Codes of what a cloud (or this machine) refused.
import type { CodeInfo } from './code-info.ts'

export const providerCodes = {
  REQUEST_UNKNOWN_OFFLINE: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The launch request has values that only the cloud can tell; a dry run shows a placeholder for each.',
    remedy: "Nothing to do; to see them before a launch, write the values into the pool's provider block.",
  },
  REQUEST_TAGS_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The cloud would refuse the tags or labels of the VMs.',
    remedy: 'Correct the tag or label the message names.',
  },
  REQUEST_NAME_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The cloud would refuse the names of the VMs.',
    remedy: 'Begin `name_prefix` with a small letter, and use only small letters, digits and hyphens in it.',
  },
  REQUEST_MACHINE_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The machine type cannot be had with what the pool asks for besides it.',
    remedy: 'Choose another machine type, or leave out what the message says it does not take.',
  },
  REQUEST_BASE_CONFIG: {
    severity: 'error',
    exit: 3,
    meaning: '`base_config` is not the properties of a Compute Engine instance.',
    remedy:
      'Correct the field; https://cloud.google.com/compute/docs/reference/rest/v1/instances/bulkInsert lists them.',
  },
  REQUEST_BASE_CONFIG_REPLACED: {
    severity: 'warning',
    exit: 3,
    meaning:
      'Something in `base_config` is not used, because another key of the pool or the machine type says otherwise.',
    remedy: 'Remove it from `base_config`, or the other key.',
  },
  REQUEST_METADATA_OPEN: {
    severity: 'warning',
    exit: 3,
    meaning: 'Containers on the agent VM can ask the metadata service, as in the origin.',
    remedy:
      'Set `metadata_hop_limit: 1` unless task containers need the credentials of the instance profile.',
  },
  CLOUD_METADATA_UNAVAILABLE: {
    severity: 'error',
    exit: 5,
    meaning:
      "The cloud's metadata server could not tell something about the machine the provisioner runs on.",
    remedy:
      'Write the address, region, project or zone into the file, or run the provisioner on a VM of that cloud; a dry run takes `--master-host`.',
  },
  PROVIDER_CAPACITY: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud has no VMs of this offering to give at the moment.',
    remedy:
      'Name more instance types, zones or subnets, or allow on-demand VMs where only spot is asked for.',
  },
  PROVIDER_QUOTA: {
    severity: 'error',
    exit: 5,
    meaning: "The account's quota or limit does not allow what was asked for.",
    remedy: 'Ask the cloud to raise the quota, or lower max_instances.',
  },
  PROVIDER_THROTTLED: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud refused the call because too many were made.',
    remedy:
      'Nothing to do: the call is repeated later. If it stays, look for other programs on the same account.',
  },
  PROVIDER_CONFIG: {
    severity: 'error',
    exit: 5,
    meaning:
      'The cloud refused the request for what it says: a name, image, network or permission on them is wrong.',
    remedy: "Correct the pool's provider block; `provision --dry-run` shows the request.",
  },
  PROVIDER_AUTH: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud did not accept the credentials, or they may not do this.',
    remedy: 'Check the credentials the cloud client finds, and the permissions they have.',
  },
  PROVIDER_NOT_OFFERED: {
    severity: 'warning',
    exit: 5,
    meaning: 'A zone of the pool does not offer one of its instance types; it is bought in the others.',
    remedy: 'Nothing to do; to save the tries, take the type or the subnet out of the pool.',
  },
  PROVIDER_PERMISSION_UNKNOWN: {
    severity: 'warning',
    exit: 5,
    meaning:
      'The cloud refused a trial on a thing that does not exist; a policy that is limited to our VMs gives the same answer.',
    remedy:
      'Nothing to do where the policy is the one `provision check --print-iam-policy` prints; else allow the action.',
  },
  PROVIDER_TRANSIENT: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud could not be reached, or failed for a reason of its own.',
    remedy: 'Nothing to do: the call is repeated later.',
  },
  PROVIDER_LAUNCH_SPENT: {
    severity: 'error',
    exit: 5,
    meaning: 'A launch was sent again that had been carried out before, and the cloud shows none of its VMs.',
    remedy: 'Nothing to do: it is looked for again, and a new launch is made for work that still waits.',
  },
  PROVIDER_TIME_UNREADABLE: {
    severity: 'warning',
    exit: 5,
    meaning:
      'The cloud gave a time for a VM that cannot be read; the VM counts as made when it was first seen.',
    remedy: 'Nothing to do.',
  },
  PROVIDER_NOT_OURS: {
    severity: 'error',
    exit: 5,
    meaning: 'A VM was not touched because it does not carry the tags of this cluster and pool.',
    remedy: 'Name a VM of this cluster and pool, as `provision` lists them.',
  },
  LOCAL_NO_BASH: {
    severity: 'error',
    exit: 5,
    meaning: 'A local VM could not start because there is no bash on this machine.',
    remedy: 'Install bash, or put it on the PATH of the provisioner.',
  },
  LOCAL_MACHINE_FULL: {
    severity: 'error',
    exit: 5,
    meaning: 'A local VM could not start because this machine has no room for it: disk, processes or memory.',
    remedy: 'Free what the message names, or lower max_instances.',
  },
  LOCAL_NOT_PERMITTED: {
    severity: 'error',
    exit: 5,
    meaning: 'This machine does not let the provisioner write the files of a local VM, or end its processes.',
    remedy: 'Give the user of the provisioner the right, or set state_dir to a folder it may write.',
  },
  LOCAL_OUTSIDE_ROOT: {
    severity: 'error',
    exit: 5,
    meaning: "A local VM's files would have been written outside the pool's own folder.",
    remedy: 'Remove the link or file the message names.',
  },
  LOCAL_RECORD_UNREADABLE: {
    severity: 'error',
    exit: 5,
    meaning: 'The record of a local VM cannot be read, so that nothing is known about it.',
    remedy: 'End its processes by hand if there are any, and remove the folder the message names.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of rendering, checking and packing user data.

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
  TEMPLATE_NO_CA_BUNDLE: {
    severity: 'error',
    exit: 3,
    meaning: 'Agents trust the CAs of their machine, and the template lacks the part that writes their list.',
    remedy: 'Add `{{> ca-bundle}}` on a line of its own before the named part.',
  },
} as const satisfies Record<string, CodeInfo>
