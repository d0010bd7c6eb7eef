// `provision explain`: why a pool did what it did last, or does nothing; from a running provisioner or a kept snapshot.
import { resolve } from 'node:path'
import type { Client } from '../../http/client.ts'
import { fleetStatus, poolStatus } from '../../http/fleet-client.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { CommandContext } from '../command.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { explanationLines } from '../explain.ts'
import { readInput } from '../read-input.ts'
import { writeOutput } from '../write-output.ts'

interface Options extends ConnectOptions {
  snapshot?: string
  save?: string
  format: 'text' | 'json'
}

export async function run(
  { snapshot, save, format, ...options }: Options,
  context: CommandContext,
  named: string[],
): Promise<ExitStatus> {
  const { terminal, cwd } = context
  if (snapshot !== undefined && (save !== undefined || named.length > 0))
    throw usage('--snapshot explains that file, so no pool can be named and nothing be saved')
  const taken =
    snapshot === undefined
      ? await take(connectFleet(options, context), named)
      : [{ name: snapshot, text: (await readInput(snapshot, cwd)).toString() }]
  const { explainSnapshot } = await import('../../provisioner/snapshot-file.ts')
  const explanations = taken.map(({ name, text }) => explainSnapshot(text, name))
  if (save !== undefined) {
    if (taken.length !== 1) throw usage(`--save keeps one pool, and there are ${taken.length}: name one`)
    if (save === '-') {
      terminal.out(taken[0]!.text)
      return 0
    }
    writeOutput(resolve(cwd, save), taken[0]!.text)
    terminal.say(`kept in ${save}; \`provision explain --snapshot ${save}\` explains it again`)
  }
  if (format === 'json') terminal.out(`${JSON.stringify(explanations, undefined, 2)}\n`)
  else terminal.out(`${explanations.map((each) => explanationLines(each).join('\n')).join('\n\n')}\n`)
  return 0
}

/** What the last turn of each pool saw; of all pools that run where none is named. */
async function take(client: Client, named: string[]): Promise<{ name: string; text: string }[]> {
  const { pools } = await fleetStatus(client)
  const running = pools.filter(({ state }) => state !== 'failed').map(({ pool }) => pool)
  return Promise.all(
    (named.length > 0 ? named : running).map(async (name) => {
      const { snapshot } = await poolStatus(client, name)
      if (snapshot) return { name, text: `${JSON.stringify(snapshot)}\n` }
      throw new ProvisionError(problem('SNAPSHOT_MISSING', `pool ${name} has decided nothing yet`))
    }),
  )
}

function usage(message: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy: 'See `provision explain --help`.' }))
}
