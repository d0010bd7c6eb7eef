// From options to a client of the master they mean.
import { resolve } from 'node:path'
import type { MasterConfig } from '../config/master-config.ts'
import { createClient, type MasterClient } from '../http/client.ts'
import { type Target, targetByConfig, targetByUrl } from '../http/target.ts'
import { ProvisionError } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import { introduceOn, sayUnverified } from './introduce.ts'
import { loadConfig } from './load-config.ts'
import { version } from './version.ts'

export interface ConnectOptions {
  config: string
  master?: string
  tokenFile?: string
}

/** -m wins over -c, and either over DET_MASTER, which wins over DET_CONFIG_FILE and `master.yaml`. */
export function connect(options: ConnectOptions, context: CommandContext): MasterClient {
  const target = targetOf(options, context)
  sayUnverified(target, context.terminal)
  return createClient({ target, version, introduce: introduceOn(target, context.terminal) })
}

function targetOf(options: ConnectOptions, context: CommandContext): Target {
  const { env, cwd, isFlag } = context
  const tokenFile = options.tokenFile && resolve(cwd, options.tokenFile)
  const byConfig = isFlag('config') && !isFlag('master')
  if (!options.master || byConfig)
    return targetByConfig(configOf(options, env), { tokenFile, now: Date.now() })
  // A token is for one master: the configuration's goes elsewhere only when both were named.
  const both = isFlag('config') && !tokenFile
  return targetByUrl(options.master, { tokenFile: both ? tokenOf(configOf(options, env)) : tokenFile, env })
}

function tokenOf({ state_dir }: MasterConfig): string {
  return resolve(state_dir, 'token')
}

function configOf({ config: file }: ConnectOptions, env: NodeJS.ProcessEnv): MasterConfig {
  const { config, problems } = loadConfig(file, { env })
  if (!config) throw new ProvisionError(problems)
  return config
}
