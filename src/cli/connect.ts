// Turns flags into a client of the selected master or provisioner. Loaded only by the commands that need one.
import { resolve } from 'node:path'
import { loadConfig, type MasterConfig, stateDirOf } from '../config/index.ts'
import {
  type Client,
  createClient,
  createLocalClient,
  type MasterClient,
  type Target,
  targetByConfig,
  targetByUrl,
} from '../http/index.ts'
import { isError, type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type Flag, version } from './command.ts'
import { type Context, sayProblems } from './terminal.ts'
import { askOn, sayUnverified } from './trust-decision.ts'

export interface Address {
  config: Flag<string>
  master: Flag<string | undefined>
  tokenFile?: Flag<string | undefined>
}

/**
 * -m takes precedence over -c, and both over DET_MASTER, which takes precedence over DET_CONFIG_FILE and `master.yaml`.
 */
export async function connect(address: Address, context: Context): Promise<MasterClient> {
  const target = await targetOf(address, context)
  sayUnverified(target, context.terminal)
  return createClient({ target, version, trustPrompt: askOn(target, context.terminal) })
}

/**
 * The master of `connect` for its jobs. While the configuration has errors that leave its state_dir, it is the master in the
 * running provisioner, by the control socket.
 */
export async function connectJobs(address: Address, context: Context): Promise<Client> {
  const { config, master } = address
  if (master.isGiven || (master.value && !config.isGiven)) return connect(address, context)
  const place = await placeOf(config.value, context)
  if (place.resource_pools) return connect(address, context)
  return createLocalClient({ stateDir: place.state_dir, version })
}

/**
 * The local provisioner that runs with this configuration, by its control socket; with -m the one at that URL. DET_MASTER
 * is ignored: beside a Determined master it names that master, not the provisioner.
 */
export async function connectFleet(address: Address, context: Context): Promise<Client> {
  if (address.master.isGiven) return connect(address, context)
  return createLocalClient({ stateDir: (await placeOf(address.config.value, context)).state_dir, version })
}

/**
 * The state folder of a running provisioner, with its socket. If the file has errors but state_dir can be read, the first
 * error is reported as a warning. Throws every problem if state_dir cannot be read.
 */
export async function placeOf(
  file: string,
  { env, terminal }: Context,
): Promise<Pick<MasterConfig, 'state_dir'> & Partial<MasterConfig>> {
  const { builtInProviders } = await import('../providers/index.ts')
  const { config, problems } = loadConfig(file, { env, providers: builtInProviders })
  if (config) return config
  const found = stateDirOf(file)
  const first = problems.find(isError)
  if (found === undefined || !first) throw new ProvisionError(problems)
  sayProblems(terminal, [brokenFile(first, problems.filter(isError).length - 1)])
  return { state_dir: found }
}

function brokenFile(first: Problem, others: number): Problem {
  const more = others === 0 ? '' : `, and ${others} more`
  const { frame: _, ...where } = first.where ?? { file: '' }
  return problem('CONFIG_FILE_BROKEN', `${first.code} ${first.message}${more}`, { where })
}

async function targetOf({ config, master, tokenFile: flag }: Address, context: Context): Promise<Target> {
  const { env, cwd } = context
  const tokenFile = flag?.value && resolve(cwd, flag.value)
  const byConfig = config.isGiven && !master.isGiven
  if (!master.value || byConfig)
    return targetByConfig(await validConfig(config.value, context), { tokenFile, now: Date.now() })
  // A token belongs to one master: the configuration's token is sent to -m only if -c is given, too.
  const both = config.isGiven && !tokenFile
  const ofConfig = async () => resolve((await validConfig(config.value, context)).state_dir, 'token')
  return targetByUrl(master.value, { tokenFile: both ? await ofConfig() : tokenFile, env })
}

/** Throws every problem of an invalid configuration. Warnings are not reported. */
export async function validConfig(file: string, { env }: Pick<Context, 'env'>): Promise<MasterConfig> {
  const { builtInProviders } = await import('../providers/index.ts')
  const { config, problems } = loadConfig(file, { env, providers: builtInProviders })
  if (!config) throw new ProvisionError(problems)
  return config
}
