// Finds what looks like a secret in anything that enters user data, and says where it is but never what it is.
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

// What known secrets look like. Each shape is bounded on both sides, so that certificates, hashes and base64 do not match.

export interface SecretShape {
  what: string
  pattern: RegExp
}

/** A token that stands alone, with a character in it that base64 does not have. */
function token(what: string, shape: string): SecretShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9_-])(?:${shape})(?![A-Za-z0-9_-])`) }
}

/** A token that might be found by chance in base64: there it is a piece of a longer run. */
function plainToken(what: string, shape: string): SecretShape {
  return { what, pattern: new RegExp(`(?<![A-Za-z0-9+/_-])(?:${shape})(?![A-Za-z0-9+/_-])`) }
}

/** A value that is written out; `$NAME`, `$(…)` and `<placeholder>` are not. */
const literal = '["\']?(?![$<{*%])'

export const secretShapes: SecretShape[] = [
  { what: 'a private key', pattern: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/ },
  { what: 'a PuTTY private key', pattern: /^PuTTY-User-Key-File-\d/m },
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
  plainToken('an AWS access key', '(?:AKIA|ASIA)[A-Z2-7]{16}'),
  {
    what: 'an AWS secret key',
    pattern: new RegExp(
      `aws_?(?:secret_?access_?key|session_?token)["']?\\s*[:=]\\s*${literal}[\\w/+=]{40}`,
      'i',
    ),
  },
  plainToken('a Google API key', 'AIza[\\w-]{35}'),
  token('a Google OAuth token', 'ya29\\.[\\w-]{20,}'),
  token('a Google OAuth client secret', 'GOCSPX-[\\w-]{28}'),
  // https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
  token('a GitHub token', 'gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}'),
  token('a GitLab token', 'gl(?:pat|dt|rt|cbt|ptt|agent)-[\\w.-]{20,}'),
  token('a Slack token', 'xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\\d-[A-Za-z0-9-]{10,}'),
  { what: 'a Slack webhook', pattern: /hooks\.slack\.com\/(?:services|workflows)\/T\w+\/[A-Z]\w+\/\w+/ },
  // https://datatracker.ietf.org/doc/html/rfc7515#section-3.1: three parts, the first two of them JSON objects.
  token('a JSON web token', 'eyJ[\\w-]{8,}\\.eyJ[\\w-]{8,}\\.[\\w-]{16,}'),
  token('a Docker Hub token', 'dckr_(?:pat|oat)_[\\w-]{20,}'),
  token('an npm token', 'npm_[A-Za-z0-9]{36}'),
  token('a PyPI token', 'pypi-AgE[\\w-]{50,}'),
  token('a Hugging Face token', 'hf_[A-Za-z0-9]{30,}'),
  token('an API key', 'sk-(?:proj-|ant-|live-)?[\\w-]{32,}|[rs]k_live_[A-Za-z0-9]{20,}'),
  token('a SendGrid key', 'SG\\.[\\w-]{16,}\\.[\\w-]{16,}'),
  plainToken('a Databricks token', 'dapi[0-9a-f]{32}'),
  token('a Vault token', 'hv[sb]\\.[\\w-]{24,}'),
  { what: 'an Azure storage key', pattern: /AccountKey=[A-Za-z0-9+/]{86}==/ },
  {
    what: 'a password in a URL',
    pattern: new RegExp(`\\b[a-z][a-z0-9+.-]{0,15}://[^\\s/:@'"]+:${literal}[^\\s/:@'"]+@`, 'i'),
  },
  {
    what: 'a password of docker login',
    pattern: new RegExp(`docker\\s+login\\b[^\\n]{0,200}\\s(?:-p\\s*|--password[=\\s])${literal}[^\\s"'-]`),
  },
]

/** Names of settings whose values are secrets. */
export const secretName = /(?:^|[_.-])(?:password|passwd|secret|token|api_?key|private_?key|credentials?)$/i

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
