// Finds what looks like a secret in anything that enters user data, and says where it is but never what it is.
import { secretName, secretShapes } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import type { AgentSetup } from './setup.ts'
import { isShellSafe } from './shell.ts'

/** One problem per text and kind of secret, with the line where texts have several. */
export function secretProblems(setup: AgentSetup, template?: { name: string; text: string }): Problem[] {
  const texts = textsOf(setup)
  const found = [...texts, ...(template ? [{ key: 'agent_setup_template', text: template.text }] : [])]
  return found.flatMap((source) => [...shapesIn(source), ...namedSecret(source)])
}

function shapesIn({ key, text }: SetupText): Problem[] {
  return secretShapes.flatMap(({ what, pattern }) => {
    const match = pattern.exec(text) ?? pattern.exec(decoded(text))
    if (!match) return []
    const line = text.slice(0, match.index).split('\n').length
    const several = text.trimEnd().includes('\n') && match.input === text
    return [secretProblem(key, several ? `${key}, line ${line},` : key, what)]
  })
}

/** `http_password: hunter2`: a value no shape fits, under a name that says what it is. A path is not the secret itself. */
function namedSecret({ key, text }: SetupText): Problem[] {
  const name = key.startsWith('agent_config_file_contents.') ? key.split('.').at(-1)! : ''
  if (!secretName.test(name) || text === '' || text.startsWith('/')) return []
  return [secretProblem(key, key, `the value of ${name}`)]
}

function secretProblem(key: string, place: string, what: string): Problem {
  return problem('USER_DATA_SECRET', `${place} holds what looks like a secret: ${what}`, {
    details: { key, what },
  })
}

/** What base64 in the text holds, where that is a PEM block: `-----BEGIN` always begins with `LS0tLS1CRUdJTi`. */
function decoded(text: string): string {
  const blocks = text.match(/LS0tLS1CRUdJTi[A-Za-z0-9+/\s]+/g) ?? []
  return blocks.map((block) => Buffer.from(block, 'base64').toString('latin1')).join('\n')
}

// Every text that enters user data, by the key a user would change: what the checks look at.

export interface SetupText {
  /** Key in the provider block, with `.` between levels. */
  key: string
  text: string
}

export function textsOf(setup: AgentSetup): SetupText[] {
  const { docker } = setup
  return [
    { key: 'pool_name', text: setup.poolName },
    { key: 'master_url', text: setup.master.host },
    { key: 'master_cert_name', text: setup.trust.certificateName ?? '' },
    { key: 'agent_docker_image', text: docker.image },
    { key: 'agent_docker_network', text: docker.network },
    { key: 'agent_docker_runtime', text: docker.runtime },
    { key: 'log_group', text: docker.logOptions.join(' ') },
    { key: 'startup_script', text: setup.startupScript },
    { key: 'container_startup_script', text: setup.containerStartupScript },
    ...(setup.runtime === 'process' ? [{ key: 'agent_runtime', text: setup.command.join(' ') }] : []),
    ...leaves('agent_config_file_contents', setup.agentConfig),
  ]
}

function leaves(key: string, value: unknown): SetupText[] {
  if (typeof value === 'string') return [{ key, text: value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    // A secret may also hide in a name.
    { key, text: name },
    ...leaves(`${key}.${name}`, inner),
  ])
}

// What is wrong with a setup whatever template it is rendered by.

export function setupProblems(setup: AgentSetup): Problem[] {
  const problems = textsOf(setup)
    .filter(({ text }) => !isShellSafe(text))
    .map(({ key }) =>
      problem('USER_DATA_TEXT', `${key} holds a NUL character or half of a surrogate pair`, {
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
