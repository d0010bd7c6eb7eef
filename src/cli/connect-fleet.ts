// From options to a client of the provisioner they mean.

import { type Client, createLocalClient } from '../http/client.ts'
import { ProvisionError } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import { type ConnectOptions, connect } from './connect.ts'
import { loadConfig } from './load-config.ts'
import { version } from './version.ts'

/**
 * The provisioner of this machine that runs with the configuration, by its control socket; with -m the one that listens
 * there. DET_MASTER does not count: beside a Determined master it names that one, and not the provisioner.
 */
export function connectFleet(options: ConnectOptions, context: CommandContext): Client {
  if (context.isFlag('master')) return connect(options, context)
  const { config, problems } = loadConfig(options.config, { env: context.env })
  if (!config) throw new ProvisionError(problems)
  return createLocalClient({ stateDir: config.state_dir, version })
}
