// Codes of errors of a cloud, or of this machine.
import type { CodeInfo } from './code-info.ts'

export const providerCodes = {
  REQUEST_UNKNOWN_OFFLINE: {
    severity: 'warning',
    exit: 3,
    meaning:
      'The launch request has values that are known only at the cloud; a dry run shows a placeholder for each.',
    remedy:
      "No action is needed; to see them before a launch, write the values into the pool's provider block.",
  },
  REQUEST_TAGS_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The cloud would reject the tags or labels of the instances.',
    remedy: 'Correct the tag or label that the message names.',
  },
  REQUEST_NAME_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The cloud would reject the names of the instances.',
    remedy:
      'Start `name_prefix` with a lower-case letter, and use only lower-case letters, digits and hyphens.',
  },
  REQUEST_MACHINE_REFUSED: {
    severity: 'error',
    exit: 3,
    meaning: 'The machine type cannot be combined with another setting of the pool.',
    remedy: 'Choose another machine type, or remove the setting that the message names.',
  },
  REQUEST_BASE_CONFIG: {
    severity: 'error',
    exit: 3,
    meaning:
      '`base_config` has a field that the API for launching instances does not have, or that the provisioner sets itself.',
    remedy:
      'Correct the field. Google Cloud: https://cloud.google.com/compute/docs/reference/rest/v1/instances/bulkInsert lists them; AWS: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html.',
  },
  REQUEST_BASE_CONFIG_REPLACED: {
    severity: 'warning',
    exit: 3,
    meaning:
      'A field of `base_config` is ignored, because another key of the pool or the machine type overrides it.',
    remedy: 'Remove it from `base_config`, or the other key.',
  },
  REQUEST_METADATA_OPEN: {
    severity: 'warning',
    exit: 3,
    meaning:
      "Containers on the agent instance can reach the metadata service, as with Determined's provisioner.",
    remedy:
      'Set `metadata_hop_limit: 1` unless task containers need the credentials of the instance profile.',
  },
  CLOUD_METADATA_UNAVAILABLE: {
    severity: 'error',
    exit: 5,
    meaning: "The cloud's metadata server did not return a value about the provisioner's machine.",
    remedy:
      'Write the address, region, project or zone into the file, or run the provisioner on an instance of that cloud; a dry run takes `--master-host`.',
  },
  PROXY_INVALID: {
    severity: 'error',
    exit: 3,
    meaning:
      'HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not the URL of an HTTP proxy. The value is not shown, because it may contain a password.',
    remedy:
      'Write http://host:port or https://host:port, with special characters of a password percent-encoded, such as %23 for # (SOCKS is not supported); or add the host to NO_PROXY.',
  },
  PROVIDER_CAPACITY: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud has no capacity for this offering at the moment.',
    remedy: 'Add instance types, zones or subnets, or allow on-demand instances beside spot.',
  },
  PROVIDER_QUOTA: {
    severity: 'error',
    exit: 5,
    meaning: "The account's quota or limit does not allow the request.",
    remedy: 'Request a higher quota from the cloud, or lower max_instances.',
  },
  PROVIDER_THROTTLED: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud throttled the call because too many were made.',
    remedy:
      'Wait: the call is repeated later. If it persists, check other programs that use the same account.',
  },
  PROVIDER_CONFIG: {
    severity: 'error',
    exit: 5,
    meaning:
      'The cloud rejected the request as invalid: a name, image, network or a permission on them is wrong.',
    remedy: "Correct the pool's provider block; `provision --dry-run` shows the request.",
  },
  PROVIDER_AUTH: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud rejected the credentials, or they lack a permission.',
    remedy: 'Check the credentials that the cloud client finds, and their permissions: `provision check`.',
  },
  PROVIDER_NOT_OFFERED: {
    severity: 'warning',
    exit: 5,
    meaning: 'A zone of the pool does not offer one of its instance types; it is launched in the others.',
    remedy: 'No action is needed; to avoid the attempts, remove the type or the subnet from the pool.',
  },
  PROVIDER_PERMISSION_UNKNOWN: {
    severity: 'warning',
    exit: 5,
    meaning:
      'The cloud rejected a test call on a resource that does not exist, as it does with a policy limited to managed instances.',
    remedy:
      'No action is needed with the policy that `provision check --print-iam-policy` prints; otherwise allow the action.',
  },
  PROVIDER_TRANSIENT: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud could not be reached, or had an internal error.',
    remedy: 'Wait: the call is repeated later.',
  },
  PROVIDER_LAUNCH_SPENT: {
    severity: 'error',
    exit: 5,
    meaning: 'A repeated launch had already been executed, but the cloud lists none of its instances.',
    remedy: 'Wait: listings are repeated, and jobs that still wait get a new launch.',
  },
  PROVIDER_TIME_UNREADABLE: {
    severity: 'warning',
    exit: 5,
    meaning:
      'The cloud returned an invalid creation time for an instance; the time it was first observed is used.',
    remedy: 'No action is needed.',
  },
  PROVIDER_NOT_OURS: {
    severity: 'error',
    exit: 5,
    meaning: 'An instance was not changed because it does not have the tags of this cluster and pool.',
    remedy: 'Name an instance of this cluster and pool; `provision instances` lists them.',
  },
  LOCAL_NO_BASH: {
    severity: 'error',
    exit: 5,
    meaning: 'A local instance could not start because this machine has no bash.',
    remedy: 'Install bash, or put it on the PATH of the provisioner.',
  },
  LOCAL_MACHINE_FULL: {
    severity: 'error',
    exit: 5,
    meaning: 'A local instance could not start because this machine lacks disk space, processes or memory.',
    remedy: 'Free the resource that the message names, or lower max_instances.',
  },
  LOCAL_NOT_PERMITTED: {
    severity: 'error',
    exit: 5,
    meaning: 'The provisioner may not write the files of a local instance, or stop its processes.',
    remedy: 'Grant the user of the provisioner the permission, or set state_dir to a folder it may write.',
  },
  LOCAL_OUTSIDE_ROOT: {
    severity: 'error',
    exit: 5,
    meaning: 'The files of a local instance would have been written outside the folder of its pool.',
    remedy: 'Remove the link or file the message names.',
  },
  LOCAL_RECORD_UNREADABLE: {
    severity: 'error',
    exit: 5,
    meaning: 'The record of a local instance cannot be read, so its state is unknown.',
    remedy: 'Stop its processes by hand, if any, and remove the folder that the message names.',
  },
} as const satisfies Record<string, CodeInfo>

// Codes of rendering, checking and packing user data.

export const userDataCodes = {
  USER_DATA_TEXT: {
    severity: 'error',
    exit: 3,
    meaning: 'A value cannot be written into a shell script: it has a NUL character or a lone surrogate.',
    remedy: 'Remove the character from the value named in the message.',
  },
  USER_DATA_SECRET: {
    severity: 'error',
    exit: 3,
    meaning:
      'User data would contain a value that looks like a secret; every process on the instance can read user data.',
    remedy:
      'Fetch it on the instance (instance role, secret manager), or set `allow_secrets_in_user_data: true` if it is harmless.',
  },
  USER_DATA_PASSWORD: {
    severity: 'warning',
    exit: 3,
    meaning:
      'User data seems to contain a password: a literal value under the name, the flag or in the place of one. Every process on the instance can read user data.',
    remedy:
      'Fetch it on the instance (instance role, secret manager), or set `allow_secrets_in_user_data: true` if it is harmless.',
  },
  USER_DATA_TOO_LARGE: {
    severity: 'error',
    exit: 3,
    meaning: 'User data exceeds the limit of the cloud even when compressed.',
    remedy: 'Let startup_script fetch the large part on the instance, or put it into the machine image.',
  },
  USER_DATA_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'The input is not user data of this program: neither a script nor a packed script.',
    remedy: 'Pass the bytes or the base64 string that the cloud shows for the instance.',
  },
  AGENT_COMMAND_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: '`agent_runtime` is process, but there is no command to start the agent.',
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
    remedy:
      'Check the path, which is relative to the folder of master.yaml, and the permissions of the file.',
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
    remedy: 'Use only {{sh name}}, {{list name}}, {{text name}}, #if, #unless and the built-in partials.',
  },
  TEMPLATE_UNKNOWN_NAME: {
    severity: 'error',
    exit: 3,
    meaning: 'The template uses an unknown name, or uses a name in a way that does not fit its value.',
    remedy: 'Use a name listed in docs/user-data.md.',
  },
  TEMPLATE_POSITION: {
    severity: 'error',
    exit: 3,
    meaning:
      'A value is in a position where the shell would interpret it: inside quotes, a heredoc, or a longer line.',
    remedy: 'Assign it on a line of its own, `NAME={{sh name}}`, and use "$NAME" everywhere else.',
  },
  TEMPLATE_NO_SHEBANG: {
    severity: 'error',
    exit: 3,
    meaning: 'The template does not start with `#!`, so the cloud would not run it.',
    remedy: 'Start it with `#!/bin/bash`.',
  },
  TEMPLATE_NO_CA_BUNDLE: {
    severity: 'error',
    exit: 3,
    meaning:
      'Agents trust the CAs of their instance, but the template lacks the partial that writes the CA bundle.',
    remedy: 'Add `{{> ca-bundle}}` on a separate line before the named partial.',
  },
  TEMPLATE_NO_JOIN: {
    severity: 'error',
    exit: 3,
    meaning:
      'The pool has `join: required`, but the template lacks the partial that gets the client certificate.',
    remedy: 'Add `{{> join}}` on a separate line after the partial of the cloud, before `{{> tls-check}}`.',
  },
} as const satisfies Record<string, CodeInfo>
