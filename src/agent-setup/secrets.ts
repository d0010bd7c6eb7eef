// Finds what looks like a secret in anything that enters user data, and says where it is but never what it is.

import { type Problem, problem } from '../problems/problem.ts'
import { secretName, secretShapes } from './secret-shapes.ts'
import type { AgentSetup } from './setup.ts'
import { type SetupText, textsOf } from './setup-texts.ts'

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
