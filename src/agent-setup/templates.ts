// The values a template can use: those of one pool's agents, under the names listed below.

import type * as compiler from 'handlebars'
import runtime from 'handlebars/runtime.js'
import { anchorsOf } from '../pki/index.ts'
import { ipVersion } from '../platform/index.ts'
import { blockAt } from './agent-config.ts'
import { inUrl, joinEndpointsOf } from './join.ts'
import {
  type AgentConfig,
  type AgentSetup,
  type Machine,
  type MachinePartial,
  type MachineProof,
  mastersOf,
} from './setup.ts'
import { heredoc, quote } from './shell.ts'
import { compileOptions, type HelperName } from './template-options.ts'
import { mainTemplates, partials } from './templates.generated.ts'

/** Numbers are strings here, because templates print only strings. */
export interface TemplateContext {
  [name: string]: string | boolean | string[] | TemplateContext
}

export function contextOf(setup: AgentSetup): TemplateContext {
  const { machine, machines, runtime, docker } = setup
  return {
    pool: setup.poolName,
    master: {
      scheme: setup.master.scheme,
      // Agents append a colon and the port to the host, so an IPv6 address needs brackets (Determined: agent.go).
      host: inUrl(setup.master.host),
      port: String(setup.master.port),
      several: mastersOf(setup).length > 1,
      addresses: mastersOf(setup)
        .map(({ host, port }) => `${inUrl(host)}:${port}`)
        .join(','),
    },
    cloud: Object.fromEntries(machines.map(({ kind }) => [kind, kind === machine.kind])),
    runtime: { docker: runtime === 'docker', process: runtime === 'process' },
    tls: tlsContext(setup),
    join: joinContext(setup),
    agent: {
      config: agentYaml(setup.agentConfig),
      slotType: setup.slotType,
      reconnectAttempts: String(setup.reconnectAttempts),
      reconnectBackoff: String(setup.reconnectBackoffSeconds),
      command: setup.command,
    },
    docker: { ...docker, gpus: setup.slotType === 'cuda' },
    startupScript: normalizeScript(setup.startupScript),
    containerStartupScript: normalizeScript(setup.containerStartupScript),
    bootTimeout: String(setup.bootTimeoutSeconds),
    powerOff: setup.poweroffIfNeverJoined,
    proof: proofContext(setup),
  }
}

/** Whether the agents trust the CAs of their VM. An agent whose agent.yaml names CAs trusts only those. */
export function trustsMachine({ trust, agentConfig }: AgentSetup): boolean {
  return trust.mode === 'system' && !blockAt(agentConfig, 'security', 'tls')['master_cert']
}

function tlsContext(setup: AgentSetup): TemplateContext {
  const { trust, master } = setup
  const name = trust.certificateName ?? master.host
  return {
    enabled: trust.mode !== 'off',
    embed: trust.mode === 'embed',
    system: trust.mode === 'system',
    skipVerify: trust.mode === 'skip_verify',
    verify: trust.mode === 'embed' || trust.mode === 'system',
    caBundle: trustsMachine(setup),
    chain: anchorsOf(trust),
    root: trust.wellKnownRoot?.pem ?? '',
    certificateName: trust.certificateName ?? '',
    name,
    urlName: inUrl(name),
    nameIsAddress: ipVersion(name) !== 0,
    eachHost: trust.certificateName === undefined && mastersOf(setup).length > 1,
  }
}

/** Requests go to the address of `join.url`, and verify another name. */
function joinContext({ join }: AgentSetup): TemplateContext {
  const endpoints = joinEndpointsOf(join).map(({ url, name }) => ({ url, ...partsOf(url, name) }))
  const { url, dialled, endpoint } = endpoints[0] ?? { url: '', ...partsOf() }
  return {
    required: join !== undefined,
    ...{ url, dialled, endpoint },
    several: endpoints.length > 1,
    urls: endpoints.map((one) => one.url),
    dialledAddresses: endpoints.map((one) => one.dialled),
    endpoints: endpoints.map((one) => one.endpoint),
    chain: join?.chain ?? '',
    renewSeconds: String(join?.renewSeconds ?? ''),
    proofs: [...(join?.proofs ?? [])],
  }
}

/** An alias such as `local-ipv4` is a host, too. */
function partsOf(url?: string, name = ''): { dialled: string; endpoint: string } {
  const { hostname = '', port = '' } = url === undefined ? {} : new URL(url)
  const dialledPort = url === undefined ? '' : port || '443'
  return {
    dialled: `::${hostname}:${dialledPort}`,
    endpoint: `https://${inUrl(name)}:${dialledPort}/v1/join`,
  }
}

function proofContext({ join, machines }: AgentSetup): TemplateContext {
  const kinds = machines.flatMap(({ proof }) => proof?.kinds ?? [])
  return Object.fromEntries(kinds.map((kind) => [proofName(kind), join?.proofs.includes(kind) ?? false]))
}

/** `aws-sts` as a name of templates. */
function proofName(kind: string): string {
  return kind.replaceAll('-', '_')
}

// Every name a template may use, with its kind and meaning. The lint and docs/user-data.md use this table.

/** `text` is printed with `sh` or `text`, `list` with `list`; all of them can be tested with `#if`. */
export type NameKind = 'text' | 'list' | 'switch'

export interface ContextName {
  kind: NameKind
  meaning: string
}

const text = (meaning: string): ContextName => ({ kind: 'text', meaning })
const list = (meaning: string): ContextName => ({ kind: 'list', meaning })
const when = (meaning: string): ContextName => ({ kind: 'switch', meaning })

export function contextNames(machines: readonly Machine[]): Record<string, ContextName> {
  const clouds = machines.map(({ kind, meaning }) => [`cloud.${kind}`, when(meaning)] as const)
  const proofs = machines
    .flatMap(({ proof }) => proof?.kinds ?? [])
    .map((kind) => [`proof.${proofName(kind)}`, when(`\`join.proofs\` has \`${kind}\``)] as const)
  return { ...namesBefore, ...Object.fromEntries(clouds), ...namesAfter, ...Object.fromEntries(proofs) }
}

const namesBefore: Record<string, ContextName> = {
  pool: text('name of the resource pool'),
  'master.scheme': text('`http` or `https`'),
  'master.host': text('the host agents dial; an IPv6 address in brackets'),
  'master.port': text('the port agents dial'),
  'master.several': when('`master_url` has several addresses'),
  'master.addresses': text('all of them as `host:port`, with commas; the first is the one above'),
}

const namesAfter: Record<string, ContextName> = {
  'runtime.docker': when('the agent is a container'),
  'runtime.process': when('the agent is a process of the instance'),
  'tls.enabled': when('agents speak TLS to the master'),
  'tls.embed': when('agents trust only the certificates in `tls.chain`'),
  'tls.system': when('agents trust the CAs of their instance and `tls.root`'),
  'tls.skipVerify': when('agents verify nothing'),
  'tls.verify': when('agents verify the master: `tls.embed` or `tls.system`'),
  'tls.caBundle': when('`tls.system`, and agent.yaml names no CAs of its own'),
  'tls.chain': text('PEM certificates, leaf first; empty unless `tls.embed`'),
  'tls.root': text('PEM of the well-known root above the chain; empty unless `tls.system` and known'),
  'tls.certificateName': text('`security.tls.master_cert_name`; empty when agents verify the host they dial'),
  'tls.name': text("the name the master's certificate must be for"),
  'tls.urlName': text('the same in the form for URLs'),
  'tls.nameIsAddress': when('`tls.name` is an IP address'),
  'tls.eachHost': when('with several addresses, agents verify the host of each, not `tls.name`'),
  'join.required': when('agents join with client certificates of the provisioner'),
  'join.url': text(
    'where instances ask for them, without a slash at the end; empty without `join`, as the next names',
  ),
  'join.dialled': text("the same for curl's `--connect-to`"),
  'join.endpoint': text('URL of the endpoint, with the name its certificate must be for'),
  'join.several': when('instances may ask at several addresses; the next three have those of all'),
  'join.urls': list('`join.url` of each'),
  'join.dialledAddresses': list('`join.dialled` of each'),
  'join.endpoints': list('`join.endpoint` of each'),
  'join.chain': text('PEM certificates to verify it; empty if they are those of the master'),
  'join.renewSeconds': text('how often the certificate is renewed at least, seconds'),
  'join.proofs': list('kinds of proof, in the order in which they are tried'),
  'agent.config': text("agent.yaml: the user's settings and the trust settings, as JSON"),
  'agent.slotType': text('`cuda`, `rocm`, `cpu`, `none` or `auto`'),
  'agent.reconnectAttempts': text('`agent_reconnect_attempts`'),
  'agent.reconnectBackoff': text('`agent_reconnect_backoff`, seconds'),
  'agent.command': list("the agent's command line when it is a process"),
  'docker.image': text('`agent_docker_image`'),
  'docker.network': text('`agent_docker_network`'),
  'docker.runtime': text('`agent_docker_runtime`'),
  'docker.logOptions': list('arguments of `docker run` for its log driver'),
  'docker.gpus': when('the container can use the GPUs'),
  startupScript: text('`startup_script`, with LF line ends; may be empty'),
  containerStartupScript: text('`container_startup_script`, with LF line ends; may be empty'),
  bootTimeout: text('`boot_timeout`, whole seconds'),
  powerOff: when('`poweroff_if_never_joined`; `sh` prints `true` or `false`'),
}

// The built-in templates, compiled ahead of time for the small runtime, so that printing user data starts fast.

/** A compiled template. */
export type Render = HandlebarsTemplateDelegate<TemplateContext>

// The runtime is the part of the package that runs compiled templates; its own type declarations are empty.
const { template } = runtime as unknown as typeof compiler

export function mainTemplate(): Render {
  return template(mainTemplates['agent-setup.sh'] as TemplateSpecification)
}

let compiled: Record<string, Render> | undefined

function ownPartials(): Record<string, Render> {
  compiled ??= Object.fromEntries(
    Object.entries(partials).map(([name, spec]) => [name, template(spec as TemplateSpecification)]),
  )
  return compiled
}

/** Partials a template may use: the built-in ones, and those of the kinds of machine. */
export function partialNames(machines: readonly Machine[]): string[] {
  return [
    ...Object.keys(partials),
    ...machines.flatMap(({ kind, partial }) => (partial ? [kind] : [])),
  ].sort()
}

/** Partials by name. The built-in template inserts the partial of this setup's machine at `machine-first` or `machine`. */
export async function partialTemplates({ machine, machines }: AgentSetup): Promise<Record<string, Render>> {
  const ofMachines: Record<string, Render> = {}
  for (const { kind, partial } of machines) if (partial) ofMachines[kind] = await compiledPartial(partial)
  const here = (at: MachinePartial['at']) =>
    (machine.partial?.at === at && ofMachines[machine.kind]) || nothing
  const proof = machine.proof ? await compiledPartial(machine.proof) : nothing
  return {
    ...ownPartials(),
    ...ofMachines,
    'machine-first': here('first'),
    machine: here('agent'),
    'machine-proof': proof,
  }
}

const nothing: Render = () => ''

type Source = MachinePartial | MachineProof

const compiledPartials = new WeakMap<Source, Render>()

/** Loads the compiler only for templates that were not compiled ahead of time. */
async function compiledPartial(partial: Source): Promise<Render> {
  const known = compiledPartials.get(partial)
  if (known) return known
  const { template: source } = partial
  const render =
    typeof source === 'string'
      ? (await import('handlebars')).default.compile<TemplateContext>(normalizeScript(source), compileOptions)
      : template(source.compiled as TemplateSpecification)
  compiledPartials.set(partial, render)
  return render
}

// Users' scripts in a form that runs on a VM, and agent.yaml in a form that every YAML reader accepts.

/**
 * LF line ends, no byte order mark, `#!` on the first line. With CRLF the kernel looks for an interpreter named
 * `bash\r`; after a byte order mark or a blank line it ignores `#!`.
 */
export function normalizeScript(text: string): string {
  const lines = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const trimmed = lines.replace(/^\s+(?=#!)/, '')
  let end = trimmed.length
  while (trimmed[end - 1] === '\n') end--
  return trimmed.trim() === '' ? '' : `${trimmed.slice(0, end)}\n`
}

/** JSON is valid YAML, except for unprintable characters and some line ends (YAML 1.1 §4.1, 1.2 §5.1): these are escaped. */
export function agentYaml(config: AgentConfig): string {
  const json = JSON.stringify(config, undefined, 2)
  return `${json.replace(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g, escapeUnit)}\n`
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

// The three helpers that insert values into a script.

export const helpers: Record<HelperName, (value: never) => string> = {
  sh: (value: string | boolean) => quote(String(value)),
  list: (values: string[]) => values.map(quote).join(' '),
  text: (value: string) => heredoc(value),
}
