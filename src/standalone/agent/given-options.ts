// What flags and variables say, as texts turned into the values agent.yaml would hold.
import { nearest } from '../../platform/nearest.ts'
import { type Problem, problem } from '../../problems/problem.ts'
import { flagOf, type SettableOption, settableNames, settableOptions, variableOf } from './option-names.ts'

export type OptionValue = string | number | boolean
export type GivenOptions = Partial<Record<SettableOption, OptionValue>>

/** What Go's strconv.ParseBool takes. */
const flagWords: Record<string, boolean> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false])),
}

/** DET_ variables. An empty one counts as not set, as for the real agent. */
export function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  problems: Problem[],
): GivenOptions {
  const given: GivenOptions = {}
  for (const name of settableNames) {
    const text = env[variableOf(name)]
    if (text) set(given, name, text, variableOf(name), problems)
  }
  return given
}

/** `--name value`, `--name=value`, and `--name` alone for what is on or off. */
export function fromFlags(argv: readonly string[], problems: Problem[]): GivenOptions {
  const given: GivenOptions = {}
  for (const [flag, text] of flagsIn(argv)) {
    const name = byFlag.get(flag)
    if (!name) problems.push(unknownFlag(flag))
    else if (text !== undefined) set(given, name, text, flag, problems)
    else problems.push(problem('AGENT_OPTION_INVALID', `\`${flag}\` has no value`))
  }
  return given
}

const byFlag = new Map(settableNames.map((name) => [flagOf(name), name]))

/** Each flag with its value: after `=`, else the next argument; one that is on or off takes only the former. */
function flagsIn(argv: readonly string[]): [flag: string, text: string | undefined][] {
  const found: [string, string | undefined][] = []
  for (let i = 0; i < argv.length; i++) {
    const [, flag = '', inline] = /^([^=]*)(?:=(.*))?$/s.exec(argv[i]!) ?? []
    const name = byFlag.get(flag)
    if (inline !== undefined) found.push([flag, inline])
    else if (name && settableOptions[name] === 'flag') found.push([flag, 'true'])
    // An unknown flag probably has its value behind it, which is not another fault.
    else if (name || (flag.startsWith('--') && argv[i + 1]?.startsWith('--') === false))
      found.push([flag, argv[++i]])
    else found.push([flag, undefined])
  }
  return found
}

function unknownFlag(flag: string): Problem {
  const meant = nearest(flag, [...byFlag.keys()])
  const remedy = meant && `Did you mean \`${meant}\`?`
  return problem('AGENT_OPTION_INVALID', `\`${flag}\` is no option of the agent`, { remedy })
}

function set(
  given: GivenOptions,
  name: SettableOption,
  text: string,
  source: string,
  problems: Problem[],
): void {
  const value = read(text, settableOptions[name])
  if (value !== undefined) given[name] = value
  else
    problems.push(
      problem(
        'AGENT_OPTION_INVALID',
        `${source} must be ${wanted[settableOptions[name]]}, not ${JSON.stringify(text)}`,
      ),
    )
}

const wanted = { text: 'a text', number: 'a whole number', flag: 'true or false' }

function read(text: string, kind: 'text' | 'number' | 'flag'): OptionValue | undefined {
  if (kind === 'text') return text
  if (kind === 'flag') return flagWords[text]
  return /^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined
}
