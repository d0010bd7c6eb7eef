// Every name a template may use, what it holds, and what it means: the lint and docs/user-data.md go by this table.

/** `text` is printed with `sh` or `text`, `list` with `list`; all of them can be tested with `#if`. */
export type NameKind = 'text' | 'list' | 'switch'

export interface ContextName {
  kind: NameKind
  meaning: string
}

const text = (meaning: string): ContextName => ({ kind: 'text', meaning })
const list = (meaning: string): ContextName => ({ kind: 'list', meaning })
const when = (meaning: string): ContextName => ({ kind: 'switch', meaning })

export const contextNames: Record<string, ContextName> = {
  pool: text('name of the resource pool'),
  'master.scheme': text('`http` or `https`'),
  'master.host': text('the host agents dial; an IPv6 address in brackets'),
  'master.port': text('the port agents dial'),
  'cloud.aws': when('the VM is on EC2'),
  'cloud.gcp': when('the VM is on Compute Engine'),
  'cloud.local': when('the VM is a process on this machine'),
  'runtime.docker': when('the agent is a container'),
  'runtime.process': when('the agent is a process of the VM'),
  'tls.enabled': when('agents speak TLS to the master'),
  'tls.embed': when('agents trust only the certificates in `tls.chain`'),
  'tls.system': when('agents trust the CAs of their image'),
  'tls.skipVerify': when('agents verify nothing'),
  'tls.verify': when('agents verify the master: `tls.embed` or `tls.system`'),
  'tls.chain': text('PEM certificates, leaf first; empty unless `tls.embed`'),
  'tls.certificateName': text('`security.tls.master_cert_name`; empty when agents verify the host they dial'),
  'tls.name': text("the name the master's certificate must be for"),
  'tls.urlName': text('the same as it stands in a URL'),
  'tls.nameIsAddress': when('`tls.name` is an IP address'),
  'agent.config': text('agent.yaml: what the user wrote with the trust settings, as JSON'),
  'agent.slotType': text('`cuda`, `rocm`, `cpu`, `none` or `auto`'),
  'agent.reconnectAttempts': text('`agent_reconnect_attempts`'),
  'agent.reconnectBackoff': text('`agent_reconnect_backoff`, seconds'),
  'agent.command': list("the agent's command line where it is a process"),
  'docker.image': text('`agent_docker_image`'),
  'docker.network': text('`agent_docker_network`'),
  'docker.runtime': text('`agent_docker_runtime`'),
  'docker.logOptions': list('arguments of `docker run` for its log driver'),
  'docker.gpus': when('the container gets the GPUs'),
  startupScript: text('`startup_script`, with LF line ends; may be empty'),
  containerStartupScript: text('`container_startup_script`, with LF line ends; may be empty'),
  bootTimeout: text('`boot_timeout`, whole seconds'),
  powerOff: when('`poweroff_if_never_joined`; `sh` prints `true` or `false`'),
}
