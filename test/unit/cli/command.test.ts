// Flags and arguments that are declared once: their values, their positions, and their types.
import { Command } from 'commander'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  CliCommand,
  configFlag,
  type Flag,
  type Format,
  formatFlag,
  onePoolFlag,
} from '../../../src/cli/command.ts'
import { processTerminal } from '../../../src/cli/terminal.ts'

const context = { terminal: processTerminal(), env: {}, cwd: '/' }

/** The value of a flag of `command` for these words; the program has flags with the same names. */
function read<T>(words: string, declare: (command: CliCommand) => Flag<T>): { value: T; isGiven: boolean } {
  const commander = new Command('provision').enablePositionalOptions().exitOverride()
  const program = new CliCommand(commander, context)
  const ofProgram = [
    configFlag(program),
    program.list('--pool <name>', ''),
    formatFlag(program, 'text', 'json', 'raw'),
    program.toggle('-y, --yes', ''),
  ]
  expect(ofProgram).toHaveLength(4)
  const command = program.command('command', '')
  const flag = declare(command)
  command.action(async () => 0)
  commander.parse(words.split(' ').filter(Boolean), { from: 'user' })
  return { value: flag.value, isGiven: flag.isGiven }
}

const pool = (command: CliCommand) => command.text('--pool <name>', '')
const pools = (command: CliCommand) => command.list('--pool <name>', '')
const onePool = (command: CliCommand) => onePoolFlag(command, '')
const out = (command: CliCommand) => command.textOr('--out <dir>', '', 'certs')
const yes = (command: CliCommand) => command.toggle('-y, --yes', '')
const format = (command: CliCommand) => formatFlag(command)
const size = (command: CliCommand) => command.choice('--size <size>', '', ['s', 'm'], 'm')

describe('a flag', () => {
  it.each([
    ['the word after it', 'command --pool a', pool, 'a', true],
    ['the last of several words', 'command --pool a --pool b', pool, 'b', true],
    ['nothing without it', 'command', pool, undefined, false],
    ['what stands before the command', '--pool a --pool b command', pool, 'b', true],
    ['its own word before that', '--pool a command --pool b', pool, 'b', true],
    ['all words of a list', 'command --pool a --pool b', pools, ['a', 'b'], true],
    ['a list before the command', '--pool a --pool b command', pools, ['a', 'b'], true],
    ['no list without it', 'command', pools, undefined, false],
    ['its default', 'command', out, 'certs', false],
    ['the program’s switch', '-y command', yes, true, true],
    ['that it is not given', 'command', yes, false, false],
    ['one of its choices', 'command --size s', size, 's', true],
    ['its default choice', 'command', size, 'm', false],
    ['the default file', 'command', configFlag, 'master.yaml', false],
    ['a file before the command rather than its default', '-c a command', configFlag, 'a', true],
    ['the file of the command rather than that before it', '-c a command -c b', configFlag, 'b', true],
    ['a format of the program that the command does not offer', '--format raw command', format, 'raw', true],
  ] as [string, string, (command: CliCommand) => Flag<unknown>, unknown, boolean][])(
    'reads %s: provision %s',
    (_, words, declare, value, isGiven) => {
      expect(read(words, declare)).toEqual({ value, isGiven })
    },
  )

  it('that accepts one pool rejects several', () => {
    expect(read('--pool a command', onePool).value).toBe('a')
    expect(() => read('--pool a --pool b command', onePool)).toThrow('USAGE: --pool takes one pool here')
  })

  it('that is read from a variable does not count as given', () => {
    process.env['DET_CONFIG_FILE'] = 'c'
    try {
      expect(read('command', configFlag)).toEqual({ value: 'c', isGiven: false })
    } finally {
      delete process.env['DET_CONFIG_FILE']
    }
  })

  it('has the type of its value', () => {
    expectTypeOf(pool).returns.toEqualTypeOf<Flag<string | undefined>>()
    expectTypeOf(pools).returns.toEqualTypeOf<Flag<string[] | undefined>>()
    expectTypeOf(out).returns.toEqualTypeOf<Flag<string>>()
    expectTypeOf(yes).returns.toEqualTypeOf<Flag<boolean>>()
    expectTypeOf(size).returns.toEqualTypeOf<Flag<'s' | 'm'>>()
    expectTypeOf(format).returns.toEqualTypeOf<Flag<Format>>()
    const wrong = (command: CliCommand) => [
      // @ts-expect-error a switch takes no value
      command.toggle('--pool <name>', ''),
      // @ts-expect-error a flag with a value must be declared as such
      command.text('--yes', ''),
      // @ts-expect-error the default is one of the choices
      command.choice('--size <size>', '', ['s', 'm'], 'l'),
    ]
    expect(wrong).toBeTypeOf('function')
  })
})

describe('arguments', () => {
  it('are read by position', () => {
    const command = new CliCommand(new Command('command'), context)
    const first = command.argument('[first]', '')
    const rest = command.rest('[rest...]', '')
    command.action(async () => 0)
    command.commander.parse(['a', 'b', 'c'], { from: 'user' })
    expect([first.value, rest.value]).toEqual(['a', ['b', 'c']])
  })

  it('may be omitted', () => {
    const command = new CliCommand(new Command('command'), context)
    const first = command.argument('[first]', '')
    const rest = command.rest('[rest...]', '')
    command.action(async () => 0)
    command.commander.parse([], { from: 'user' })
    expect([first.value, rest.value]).toEqual([undefined, []])
  })
})
