// Finds texts in user data that look like secrets. Reports where they are, never their content.
import { findSecrets, isSecretName } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import { joinEndpointsOf } from './join.ts'
import { type AgentSetup, mastersOf } from './setup.ts'
import { isShellSafe } from './shell.ts'

/** One problem per line and kind of secret, with the line number in multi-line texts. */
export function secretProblems(setup: AgentSetup, template?: { name: string; text: string }): Problem[] {
  const texts = textsOf(setup)
  const found = [...texts, ...(template ? [{ key: 'agent_setup_template', text: template.text }] : [])]
  return found.flatMap((source) => [...secretsIn(source), ...namedSecret(source)])
}

function secretsIn({ key, text }: SetupText): Problem[] {
  const several = text.trimEnd().includes('\n')
  const once = new Map(
    findSecrets(text).map((secret) => {
      const line = text.slice(0, secret.start).split('\n').length
      return [`${secret.what} ${line}`, { ...secret, line }]
    }),
  )
  return [...once.values()].map(({ what, certain, line }) =>
    secretProblem(key, several ? `${key}, line ${line},` : key, what, certain),
  )
}

/** `http_password: hunter2`: a value without a known shape, under the name of a secret. A path is not a secret. */
function namedSecret({ key, text }: SetupText): Problem[] {
  const name = key.startsWith('agent_config_file_contents.') ? key.split('.').at(-1)! : ''
  if (!isSecretName(name) || text === '' || /^\.{0,2}\//.test(text)) return []
  return [secretProblem(key, key, `the value of ${name}`, true)]
}

function secretProblem(key: string, location: string, what: string, certain: boolean): Problem {
  return problem(
    certain ? 'USER_DATA_SECRET' : 'USER_DATA_PASSWORD',
    `${location} contains what looks like a secret: ${what}`,
    {
      details: { key, what },
    },
  )
}

// The texts that the checks read: every text in user data, by the key that a user would change.

export interface SetupText {
  /** Key in the provider block, with `.` between levels. */
  key: string
  text: string
}

export function textsOf(setup: AgentSetup): SetupText[] {
  const { docker } = setup
  return [
    { key: 'pool_name', text: setup.poolName },
    ...mastersOf(setup).map(({ host }) => ({ key: 'master_url', text: host })),
    { key: 'master_cert_name', text: setup.trust.certificateName ?? '' },
    ...joinEndpointsOf(setup.join).map(({ url }) => ({ key: 'join', text: url })),
    { key: 'agent_docker_image', text: docker.image },
    { key: 'agent_docker_network', text: docker.network },
    { key: 'agent_docker_runtime', text: docker.runtime },
    { key: 'log_group', text: docker.logOptions.join(' ') },
    { key: 'startup_script', text: setup.startupScript },
    { key: 'container_startup_script', text: setup.containerStartupScript },
    ...(setup.runtime === 'process' ? commandOf(setup.command) : []),
    ...leaves('agent_config_file_contents', setup.agentConfig),
  ]
}

/** The words of a command with flags belong together: `--password x`. */
function commandOf(words: string[]): SetupText[] {
  const texts = words.some((word) => word.startsWith('-')) ? [words.join(' ')] : words
  return texts.map((text) => ({ key: 'agent_runtime', text }))
}

function leaves(key: string, value: unknown): SetupText[] {
  if (typeof value === 'string') return [{ key, text: value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    // A name may also contain a secret.
    { key, text: name },
    ...leaves(`${key}.${name}`, inner),
  ])
}

// Problems of a setup that do not depend on the template.

export function setupProblems(setup: AgentSetup): Problem[] {
  const problems = textsOf(setup)
    .filter(({ text }) => !isShellSafe(text))
    .map(({ key }) =>
      problem('USER_DATA_TEXT', `${key} contains a NUL character or a lone surrogate`, {
        details: { key },
      }),
    )
  if (setup.runtime === 'process' && !setup.command[0])
    problems.push(problem('AGENT_COMMAND_MISSING', 'agent_runtime is process, but the agent has no command'))
  if (setup.runtime === 'process' && setup.containerStartupScript.trim() !== '')
    problems.push(
      problem('CONTAINER_SCRIPT_UNUSED', 'container_startup_script is not run with agent_runtime: process'),
    )
  return problems
}
