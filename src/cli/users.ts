// Commands for the users who may log in to the built-in master with a password: list, set, remove.
import { join } from 'node:path'
import { ProvisionError, problem } from '../problems/index.ts'
import { type CliCommand, configFlag, formatFlag } from './command.ts'
import { type Context, printJson, readInput, usage } from './terminal.ts'

export function declareUsers(program: CliCommand): void {
  const user = program.command('user', 'manage the users who may log in to the built-in master with `det`')
  list(user)
  set(user)
  remove(user)
}

async function fileOf(config: string, context: Context): Promise<string> {
  const { placeOf } = await import('./connect.ts')
  return join((await placeOf(config, context)).state_dir, 'users')
}

function list(user: CliCommand): void {
  const command = user.command('list', 'show their names', { isDefault: true })
  const config = configFlag(command)
  const format = formatFlag(command)
  command.action(async (context) => {
    const { readUsers } = await import('../http/index.ts')
    const file = await fileOf(config.value, context)
    const names = [...readUsers(file).keys()]
    if (format.value === 'json') printJson(context.terminal, { file, users: names })
    else for (const name of names) context.terminal.out(`${name}\n`)
    if (names.length === 0) context.terminal.say(`no users in ${file}: nobody can log in with a password`)
    return 0
  })
}

function set(user: CliCommand): void {
  const command = user.command('set', 'add a user, or change the password of one')
  const name = command.argument('[name]', 'the name that the user logs in with')
  const config = configFlag(command)
  const source = command.text(
    '--password-file <file>',
    'file with the password on its first line, `-` for standard input (default: asks)',
  )
  command.action(async (context) => {
    const { hashPassword, readUsers, writeUsers } = await import('../http/index.ts')
    const wanted = await nameOf(name.value, 'set')
    const file = await fileOf(config.value, context)
    const users = new Map(readUsers(file))
    const password = await passwordFor(wanted, source.value, context)
    const isNew = !users.has(wanted)
    writeUsers(file, users.set(wanted, await hashPassword(password)))
    context.terminal.say(
      isNew ? `${wanted} may now log in` : `${wanted} has a new password; the sessions with the old one end`,
    )
    return 0
  })
}

function remove(user: CliCommand): void {
  const command = user.command('remove', 'remove a user, and end the sessions of that user')
  const name = command.argument('[name]', 'the name of the user')
  const config = configFlag(command)
  command.action(async (context) => {
    const { readUsers, writeUsers } = await import('../http/index.ts')
    const wanted = await nameOf(name.value, 'remove')
    const file = await fileOf(config.value, context)
    const users = new Map(readUsers(file))
    if (!users.delete(wanted))
      throw new ProvisionError(problem('USER_UNKNOWN', `${file} has no user ${wanted}`))
    writeUsers(file, users)
    context.terminal.say(`${wanted} may no longer log in`)
    return 0
  })
}

async function nameOf(given: string | undefined, command: string): Promise<string> {
  const { userNamePattern } = await import('../http/index.ts')
  if (given === undefined) throw usage('a user needs a name', `Run \`provision user ${command} NAME\`.`)
  if (userNamePattern.test(given)) return given
  throw usage(`${given} cannot be the name of a user`, 'Use 1 to 64 letters, digits, `.`, `_`, `-` and `@`.')
}

async function passwordFor(name: string, file: string | undefined, context: Context): Promise<string> {
  const { leastPassword } = await import('../http/index.ts')
  const password = file === undefined ? await asked(name, context) : await firstLine(file, context)
  if ([...password].length >= leastPassword) return password
  throw usage(
    `the password has fewer than ${leastPassword} characters`,
    '`det` also wants an upper-case letter, a lower-case letter and a digit.',
  )
}

async function firstLine(file: string, { cwd }: Context): Promise<string> {
  const [line = ''] = (await readInput(file, cwd)).toString('utf8').split(/\r?\n/)
  return line
}

async function asked(name: string, { terminal: { ask } }: Context): Promise<string> {
  const remedy = 'Give `--password-file FILE`, or `--password-file -` for standard input.'
  if (!ask) throw usage('there is no terminal to ask for the password', remedy)
  const hidden = { hidden: true }
  const first = (await ask(`Password of ${name}: `, hidden)) ?? ''
  const again = (await ask('The same again: ', hidden)) ?? ''
  if (first !== again) throw usage('the two passwords differ', `Run \`provision user set ${name}\` again.`)
  return first
}
