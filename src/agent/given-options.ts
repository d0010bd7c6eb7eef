// What flags and variables say, as texts turned into the values agent.yaml would hold.
import { nearest } from '../model/nearest.ts'
import { type Problem, problem } from '../model/problem.ts'
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
  const flags = new Map(settableNames.map((name) => [flagOf(name), name]))
  for (let i = 0; i < argv.length; i++) {
    const [flag, inline] = splitAt(argv[i]!, '=')
    const name = flags.get(flag)
    if (!name) {
      const meant = nearest(flag, [...flags.keys()])
      const remedy = meant ? `Did you mean \`${meant}\`?` : undefined
      problems.push(problem('AGENT_OPTION_INVALID', `\`${flag}\` is no option of the agent`, { remedy }))
      continue
    }
    const alone = settableOptions[name] === 'flag' ? 'true' : argv[++i]
    const text = inline ?? alone
    if (inline !== undefined && settableOptions[name] !== 'flag') i--
    if (text === undefined) problems.push(problem('AGENT_OPTION_INVALID', `\`${flag}\` has no value`))
    else set(given, name, text, flag, problems)
  }
  return given
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

function splitAt(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}
