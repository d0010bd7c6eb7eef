// The stages that the script of an agent VM prints on its console as `PROVISION_STAGE=<code>`, with their exit statuses.

/** Stages of a boot that continues. The last one on the console is the current stage. */
export const progressStages = [
  'started',
  'startup_script_done',
  'configuration_written',
  'certificate_issued',
  'tls_checked',
  'image_pulled',
  'agent_started',
  'agent_connected',
] as const
export type ProgressStage = (typeof progressStages)[number]

/** Stages that end the boot, with the script's exit status and what they mean. */
export const failureStages = {
  internal_error: { exit: 1, meaning: 'a command of the script itself failed' },
  startup_script_failed: { exit: 20, meaning: "the pool's startup_script failed" },
  no_docker: { exit: 21, meaning: 'docker is not installed on the machine image, or does not respond' },
  no_nvidia_runtime: { exit: 22, meaning: 'docker cannot pass the GPUs to containers (no NVIDIA runtime)' },
  no_agent_command: { exit: 23, meaning: "the agent's command is not installed on the machine image" },
  metadata_unreachable: { exit: 24, meaning: 'the metadata server did not return the instance id' },
  image_pull_failed: { exit: 25, meaning: 'the agent image could not be pulled' },
  agent_failed: {
    exit: 26,
    meaning:
      'the agent exited: within 5 seconds of its start and not because of the master, or later in a local instance',
  },
  agent_not_started: { exit: 27, meaning: 'docker could not start the agent container' },
  disk_not_writable: { exit: 28, meaning: 'a file could not be written: the disk is full or read-only' },
  tls_dns: { exit: 30, meaning: "the instance cannot resolve the master's name" },
  tls_unreachable: { exit: 31, meaning: 'no connection to the master: timeout, no route or a firewall' },
  tls_refused: { exit: 32, meaning: 'nothing listens on the master port' },
  tls_not_tls: { exit: 33, meaning: 'the service on the master port does not use TLS' },
  tls_unknown_ca: { exit: 34, meaning: "the master's certificate is not from a CA this agent trusts" },
  tls_wrong_name: { exit: 35, meaning: "the master's certificate is for another name" },
  tls_expired: {
    exit: 36,
    meaning: "a certificate of the master's chain has expired, or the instance's clock is wrong",
  },
  tls_not_yet_valid: {
    exit: 37,
    meaning: "a certificate of the master's chain is not valid yet, or the instance's clock is wrong",
  },
  tls_bad_certificate: { exit: 38, meaning: "the master's certificate is faulty or not for TLS servers" },
  tls_handshake_failed: { exit: 39, meaning: 'the TLS handshake was rejected or interrupted' },
  tls_client_certificate: { exit: 40, meaning: 'the master requires a client certificate' },
  never_joined: {
    exit: 41,
    meaning: 'the agent did not join the master within the boot timeout',
  },
  join_unreachable: {
    exit: 42,
    meaning: 'the instance got no client certificate: the provisioner does not answer, or is not trusted',
  },
  join_refused: {
    exit: 43,
    meaning: 'the provisioner refused to issue a client certificate to this instance',
  },
  proof_unavailable: {
    exit: 44,
    meaning: 'the instance cannot prove what it is: the cloud gave no credentials, or a tool is missing',
  },
} as const satisfies Record<string, { exit: number; meaning: string }>
export type FailureStage = keyof typeof failureStages

export type Stage = ProgressStage | FailureStage

export function isFailureStage(stage: string): stage is FailureStage {
  return Object.hasOwn(failureStages, stage)
}

/** The last stage in a console's output, or undefined without one. */
export function lastStage(console: string): Stage | undefined {
  let last: Stage | undefined
  for (const [, code] of console.matchAll(/PROVISION_STAGE=([a-z_]+)/g))
    if (isFailureStage(code!) || progressStages.some((stage) => stage === code)) last = code as Stage
  return last
}
