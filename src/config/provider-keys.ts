// Keys of every provider: those of Determined's provisioner (provconfig/config.go) and our own. The only source of their defaults.

import { resolve } from 'node:path'
import * as z from 'zod/mini'
import { preflightModes, preflightProofs, trustModes } from '../pki/index.ts'
import {
  block,
  choice,
  count,
  duration,
  flag,
  key,
  keyOr,
  kinds,
  name,
  needed,
  oldKey,
  period,
  shaped,
  text,
} from './fields.ts'
import { checkJoin, joinConfigOf, joinKey } from './join.ts'
import { checkMasterUrls, checkPreflight, masterUrls, preflightAddresses } from './provider-addresses.ts'
import { type Block, given, inner, isAbsent, isMapping, note, type Partially, sure } from './read-block.ts'
import { checkRollout, lifetimeKey, rolloutKey } from './rollout.ts'
import { readYaml } from './yaml.ts'

/** The agent image of Determined's last release; `check` warns if the running master has another version. */
export const defaultAgentImage = 'determinedai/determined-agent:0.38.1'

/** Determined's own image, in its registry or in a copy. */
export function isDeterminedImage(image: string): boolean {
  return /(?:^|\/)determined-agent(?:[:@]|$)/.test(image)
}

const anyMapping = z.record(z.string(), z.unknown())

const tlsKeys = {
  trust: keyOr(
    choice('auto', ...trustModes),
    'auto',
    'How agents trust the master. `auto` embeds the chain of `security.tls.cert` if it is complete up to a private root; if a public CA issued it, `auto` uses the CAs of the instance and the well-known root (`system`). `skip_verify` encrypts without verifying; `off` is plain text.',
  ),
  allow_ip_only: keyOr(flag, false, 'Accept a certificate that has only IP addresses and no DNS name.'),
  ca_file: key(name, 'CA certificates (PEM) to embed if a proxy with a private CA terminates TLS.'),
}

export const commonKeys = {
  master_url: keyOr(
    masterUrls,
    '',
    "Address at which agents dial the master: `scheme://host:port`; for built-in agents also [a list](operate/high-availability.md#two-addresses-without-a-load-balancer), of which they use whichever serves. The host may be an alias that the metadata server of the master's machine resolves: `local-ipv4`, `public-ipv4`, `local-hostname`, `public-hostname` (EC2), `internal-ip`, `external-ip` (GCE). Defaults: scheme `https` if `security.tls.cert` is set, otherwise `http`; host: the cloud's first alias; port: the master's `port`, but 443 with `https` if the master has no certificate.",
  ),
  master_cert_name: keyOr(
    text,
    '',
    "The name agents verify in the master's certificate. Empty: chosen from the certificate; `--dry-run` shows which and why.",
  ),
  startup_script: keyOr(
    text,
    '',
    'A script that runs on each instance as root before the agent starts. If it fails, the boot fails.',
  ),
  container_startup_script: keyOr(
    text,
    '',
    "A script that runs inside the agent's container before the agent.",
  ),
  agent_docker_network: keyOr(text, 'default', "Docker network of the agent's container."),
  agent_docker_runtime: keyOr(text, 'runc', "Docker runtime of the agent's container."),
  agent_docker_image: keyOr(
    shaped(/^\S+$/, 'an image name without spaces', 'Write it in the form registry/name:tag.'),
    defaultAgentImage,
    'Image of the agent. Its version should be that of the master.',
  ),
  agent_fluent_image: oldKey(text, 'Accepted and ignored, as in Determined.'),
  agent_reconnect_attempts: keyOr(count(0), 5, 'Number of times an agent tries to reconnect to the master.'),
  agent_reconnect_backoff: keyOr(count(0), 5, 'Seconds between those attempts.'),
  agent_config_file_contents: key(
    z.union([anyMapping, z.string()]).register(kinds, {
      noun: 'a mapping, or a string that contains one',
      remedy: 'Write the keys of agent.yaml indented below it.',
    }),
    "More of the agent's own configuration (agent.yaml): a mapping, or a string that contains one. Its TLS settings must agree with `tls`.",
    '`{}`',
  ),
  max_idle_agent_period: keyOr(
    period,
    '20m',
    'How long an instance may be idle before it is drained and terminated.',
  ),
  max_lifetime: lifetimeKey,
  max_agent_starting_period: keyOr(
    period,
    '20m',
    'How long an instance may take to join. If it is set, it replaces `boot_timeout`; its default has no effect.',
  ),
  min_instances: keyOr(count(0), 0, 'Instances that are kept even without jobs.'),
  max_instances: keyOr(count(1), 5, 'Maximum number of instances at once, including those being launched.'),
  launch_error_timeout: key(
    duration,
    'How long a launch error stays reported; `0s`: errors are not kept.',
    '`0s`',
  ),
  launch_error_retries: keyOr(count(0), 0, 'Failed launches in a row before the error is reported.'),
  tls: block(tlsKeys, 'How agents trust the master.'),
  join: joinKey,
  rollout: rolloutKey,
  preflight: keyOr(
    choice(...preflightModes),
    'tls',
    'Dial the master as an agent would before anything is launched. `tls`: a wrong response blocks the launch, an unreachable master is only a warning; `required`: both block it.',
  ),
  preflight_address: key(
    preflightAddresses,
    '`host:port` that the preflight dials, if the provisioner reaches the master at a different address than agents do; with several `master_url` a list of as many, in their order.',
    'the address agents dial',
  ),
  preflight_proof: keyOr(
    choice(...preflightProofs),
    'master',
    'What proves to the preflight that agents can join. `master`: `/info` and the agent socket are answered by a master; `agent_socket`: only the agent socket, for proxies that hide `/info`; `http`: any HTTP response, for masters that are not Determined masters.',
  ),
  agent_runtime: key(
    choice('docker', 'process'),
    'How the agent is started: in a container, or as a process of the instance.',
    '`docker`; `process` for `type: local`',
  ),
  agent_setup_template: key(name, 'Your own Handlebars template of the startup script.', 'the built-in one'),
  allow_secrets_in_user_data: keyOr(
    flag,
    false,
    'Allow private keys and tokens in user data, which anyone who may describe the instance can read.',
  ),
  allow_command_agents: keyOr(
    flag,
    false,
    'With a Determined master: allow agents of this program. They run commands only, and fail every job that needs a container.',
  ),
  boot_timeout: key(
    period,
    'How long an instance may take from launch to joining before it counts as failed and powers itself off.',
    '`max_agent_starting_period` if that is set; otherwise `10m`, bare metal `30m`',
  ),
  launch_rate: key(
    count(1),
    'How many failed launches are allowed per hour, after the first 10 (or `max_instances`, if greater): instances that never join, join with too few slots, or stop by themselves within 2 minutes of joining. Other launches do not count, and with `type: local` none does.',
    'the greater of 10 and 2 × `max_instances`',
  ),
  placement_grace: keyOr(
    duration,
    '30s',
    'How long the scheduler may leave a free agent without an allocation that fits before the agent counts as unusable.',
  ),
  poweroff_if_never_joined: keyOr(
    flag,
    true,
    'Let an instance power itself off if it has not joined within `boot_timeout`.',
  ),
}

/** A block of any type, by the keys of every type. */
export const commonBlock = z.looseObject(commonKeys)

const spotKeys = {
  enabled: keyOr(flag, true, 'Whether spot capacity is used.'),
  fallback: keyOr(choice('none', 'on_demand'), 'none', 'What is launched if there is no spot capacity.'),
}

/** `spot` as a boolean or a mapping; `more` are the keys of one cloud. */
export function spotKey<S extends z.core.$ZodLooseShape>(more: S, description: string) {
  const spot = z.union([flag, z.strictObject({ ...spotKeys, ...more })]).register(kinds, {
    noun: 'true, false or a mapping',
    remedy: 'Write true, false, or keys such as "fallback" indented below it.',
  })
  return keyOr(spot, false as never, description)
}

/** Several instance types; each is a name, or a mapping. */
export function instanceTypeList<S extends z.core.$ZodLooseShape>(entry: S, forms: readonly string[]) {
  const words = {
    noun: 'an entry of instance_types',
    remedy: `Write ${forms.map((form) => `\`${form}\``).join(' or ')}.`,
  }
  return z
    .array(z.union([name, z.strictObject(entry).register(kinds, words)]).register(kinds, words))
    .check(z.minLength(1))
    .register(kinds, {
      noun: 'a list of instance types',
      remedy: `Write ${forms.map((form) => `"- ${form}"`).join(' or ')} on each line below the key.`,
    })
}

/** Those of a cloud without further forms. */
export const instanceTypes = instanceTypeList(
  {
    type: needed(name, 'Its name.'),
    slots: key(count(0), 'Its accelerators.', 'from the table of known types'),
  },
  ['TYPE', '{type: TYPE, slots: N}'],
)

// The keys of every provider: rules between them, and values that depend on others.

export type CommonKeys = z.output<z.ZodMiniObject<typeof commonKeys, z.core.$strict>>

/** The keys of every provider, after defaults and rules. Periods are milliseconds, paths absolute. */
export type CommonProviderConfig = Omit<CommonKeys, keyof Derived> & Derived & { type: string }
type Derived = ReturnType<ReturnType<typeof commonRules>>

/** A provider block of any type; the provider knows its own keys. */
export type ProviderConfig = CommonProviderConfig
/** How agents of a pool trust the master. */
export type TlsOptions = CommonProviderConfig['tls']
/** What runs on an instance: the agent's image under Docker, or the agent as a process. */
export type AgentRuntime = CommonProviderConfig['agent_runtime']

const minute = 60_000

/**
 * Notes problems of the keys of every provider; returns the function that derives the rest if there are none.
 * `bareMetal`: one of the pool's instance types is, so booting may take longer.
 */
export function commonRules(keys: Partially<CommonKeys>, block: Block, bareMetal: boolean) {
  checkNumbers(keys, block)
  checkMasterUrls(keys, block)
  checkTrust(keys, block)
  checkPreflight(keys, block)
  checkJoin(keys, block)
  checkRollout(keys, block)
  for (const key of ['startup_script', 'container_startup_script'] as const)
    checkScript(key, keys[key], block)
  if (given(block, 'agent_fluent_image'))
    note(block, 'CONFIG_UNUSED', 'agent_fluent_image has no effect', {
      key: 'agent_fluent_image',
      part: 'key',
    })
  const agentConfig = agentConfigOf(keys.agent_config_file_contents, block)
  checkBootTimeout(block)
  const file = (path: string) => resolve(block.reading.folder, path)
  return (whole: CommonKeys) => ({
    agent_fluent_image: whole.agent_fluent_image ?? '',
    agent_runtime: whole.agent_runtime ?? 'docker',
    /** Also if the file has it as a YAML or JSON string. */
    agent_config_file_contents: sure(agentConfig),
    /** The user's own template. */
    ...(whole.agent_setup_template && { agent_setup_template: file(whole.agent_setup_template) }),
    /** 0: launch errors never stick. */
    launch_error_timeout: whole.launch_error_timeout ?? 0,
    boot_timeout: given(block, 'max_agent_starting_period')
      ? whole.max_agent_starting_period
      : (whole.boot_timeout ?? (bareMetal ? 30 * minute : 10 * minute)),
    /** Failed launches that are allowed per hour. */
    launch_rate: whole.launch_rate ?? Math.max(10, 2 * whole.max_instances),
    tls: { ...whole.tls, ...(whole.tls.ca_file && { ca_file: file(whole.tls.ca_file) }) },
    join: joinConfigOf(whole.join, block),
  })
}

/** A relative path is one of this machine, and on no instance; an absolute one, or a command, may be of the image. */
function checkScript(key: string, script: string | undefined, block: Block): void {
  const file = /^[\w.-]+(?:\/[\w.-]+)+\.(?:sh|bash|py|pl)$/.exec(script?.trim() ?? '')?.[0]
  if (file !== undefined)
    note(
      block,
      'CONFIG_BAD_VALUE',
      `${key} must be the text of a script, but is the name of a file, "${file}"`,
      {
        key,
        remedy: `Write \`${key}: |\`, and the lines of ${file} indented below it.`,
      },
    )
}

function checkBootTimeout(block: Block): void {
  if (!given(block, 'max_agent_starting_period') || !given(block, 'boot_timeout')) return
  note(block, 'CONFIG_UNUSED', 'boot_timeout has no effect with max_agent_starting_period', {
    key: 'boot_timeout',
    part: 'key',
    remedy: 'Remove one of the two.',
  })
}

function checkNumbers({ min_instances, max_instances }: Partially<CommonKeys>, block: Block): void {
  if (min_instances === undefined || max_instances === undefined || min_instances <= max_instances) return
  const known = given(block, 'max_instances') ? '' : ', its default'
  note(
    block,
    'CONFIG_OUT_OF_RANGE',
    `min_instances is ${min_instances}, but max_instances is ${max_instances}${known}`,
    { key: 'min_instances', remedy: 'Raise max_instances, or lower min_instances.' },
  )
}

function checkTrust({ tls }: Partially<CommonKeys>, block: Block): void {
  const trust = tls?.trust
  if (!tls?.ca_file || !trust || trust === 'auto' || trust === 'embed') return
  note(block, 'CONFIG_CONFLICT', `tls.ca_file needs tls.trust "embed", but it is "${trust}"`, {
    key: ['tls', 'ca_file'],
    part: 'key',
    remedy: 'Write `trust: embed`, or remove ca_file.',
  })
}

/** Notes duplicates in a list. */
export function checkDuplicates(
  block: Block,
  key: string,
  values: (string | undefined)[],
  inside: string[] = [],
): void {
  const seen = new Set<string>()
  values.forEach((value, index) => {
    if (value === undefined) return
    if (seen.has(value))
      note(block, 'CONFIG_DUPLICATE', `${key} has ${JSON.stringify(value)} twice`, {
        key: [key, index, ...inside],
      })
    seen.add(value)
  })
}

/** Whether the user set `key` below `parent`. */
export function givenIn(block: Block, parent: string, key: string): boolean {
  const below = inner(block, parent)
  return below !== undefined && given(below, key)
}

// agent_config_file_contents: a mapping, or a string that contains one as YAML or JSON.

const agentConfigKey = 'agent_config_file_contents'

/**
 * As a mapping in both cases. Determined's provisioner passes a string on as a quoted string, which no agent can read
 * (provconfig/config.go, aws.go). `value` is the key's value; undefined after a problem was noted.
 */
export function agentConfigOf(
  value: string | object | undefined,
  block: Block,
): Record<string, unknown> | undefined {
  if (typeof value === 'string') return fromText(value, block)
  if (isMapping(value)) return value
  return given(block, agentConfigKey) ? undefined : {}
}

function fromText(text: string, block: Block): Record<string, unknown> | undefined {
  const { value, problems } = readYaml(text, agentConfigKey)
  const fault = problems.find(({ severity }) => severity === 'error')
  if (fault)
    return note(
      block,
      'CONFIG_BAD_VALUE',
      `the string in ${agentConfigKey}, line ${fault.where?.line}: ${fault.message}`,
      {
        key: agentConfigKey,
        remedy: `${fault.remedy} Write it as a mapping to see errors in place.`,
      },
    )
  if (isAbsent(value)) return {}
  if (isMapping(value)) return value
  return note(block, 'CONFIG_BAD_VALUE', `the string in ${agentConfigKey} is not a mapping`, {
    key: agentConfigKey,
    remedy: 'Write the keys of agent.yaml indented below it.',
  })
}
