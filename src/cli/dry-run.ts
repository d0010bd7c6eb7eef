// `provision --dry-run`: the exact user data of each pool, without credentials, network or key.
import { join, resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { fileNameOf } from '../platform/files.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { DryRunPool } from '../provisioner/prepare.ts'
import type { CommandContext } from './command.ts'
import { dryRunReport } from './dry-run-report.ts'
import { type ExitStatus, exitStatusOf } from './exit.ts'
import { countOf, sayProblems } from './terminal.ts'
import { writeOutput } from './write-output.ts'

interface Options {
  config: string
  pool?: string[]
  masterHost?: string
  format: 'text' | 'json' | 'raw'
  out?: string
}

export async function run(options: Options, context: CommandContext): Promise<ExitStatus> {
  const { terminal, env } = context
  const { prepareAll } = await import('../provisioner/prepare.ts')
  const { dryRunPool } = await import('../provisioner/prepare.ts')
  const { localAgentCommand } = await import('../provisioner/prepare.ts')
  const now = Date.now()
  const { config, problems } = loadConfig(options.config, { env })
  sayProblems(terminal, problems)
  if (!config) return failed(problems, context)

  const localAgent = localAgentCommand()
  const wanted = { pools: options.pool, masterHost: options.masterHost, now, localAgent }
  const { outcomes, problems: shared } = await prepareAll(config, wanted)
  sayProblems(terminal, shared)
  const all = [...problems, ...shared, ...outcomes.flatMap((outcome) => outcome.problems)]
  const pools: DryRunPool[] = []
  for (const { pool, prepared, problems } of outcomes) {
    if (!prepared)
      terminal.say(
        terminal.style('bold', `pool ${pool.pool_name} (${pool.provider.type}) cannot be launched`),
      )
    const ready = prepared && dryRunPool(prepared, [...shared, ...problems])
    if (ready) pools.push(ready)
    if (ready) for (const line of dryRunReport(ready, terminal, now)) terminal.say(line)
    sayProblems(terminal, problems)
  }
  if (pools.length > 0) print(pools, options, context)
  return failed(all, context)
}

function failed(problems: Problem[], { terminal }: CommandContext): ExitStatus {
  const count = countOf(problems)
  if (count) terminal.say(count)
  return exitStatusOf(problems)
}

function print(pools: DryRunPool[], { format, out }: Options, { terminal, cwd }: CommandContext): void {
  if (out !== undefined) {
    writeFiles(pools, format, resolve(cwd, out), terminal.say)
  } else if (format === 'json') {
    terminal.out(`${JSON.stringify({ pools }, undefined, 2)}\n`)
  } else if (format === 'raw') {
    terminal.out(packedBytes(onlyOne(pools)))
  } else {
    for (const { pool, userData } of pools) {
      // One pool's text is the script itself, so that it can be piped; several need a line between them.
      if (pools.length > 1) terminal.out(`# ---- pool ${pool}\n`)
      terminal.out(userData)
    }
  }
}

function onlyOne(pools: DryRunPool[]): DryRunPool {
  if (pools.length === 1) return pools[0]!
  const remedy = 'Choose one with --pool, or give --out for a file each.'
  throw new ProvisionError(
    problem('USAGE', `raw bytes of ${pools.length} pools cannot be told apart`, { remedy }),
  )
}

function packedBytes(pool: DryRunPool): Buffer {
  return Buffer.from(pool.packedBase64, 'base64')
}

function fileOf(
  pool: DryRunPool,
  format: Options['format'],
): { extension: string; data: string | Uint8Array } {
  if (format === 'json') return { extension: 'json', data: `${JSON.stringify(pool, undefined, 2)}\n` }
  if (format === 'raw') return { extension: 'user-data', data: packedBytes(pool) }
  return { extension: 'sh', data: pool.userData }
}

function writeFiles(
  pools: DryRunPool[],
  format: Options['format'],
  folder: string,
  say: (line: string) => void,
): void {
  for (const pool of pools) {
    const { extension, data } = fileOf(pool, format)
    const file = join(folder, `${fileNameOf(pool.pool)}.${extension}`)
    writeOutput(file, data)
    say(`wrote ${file}`)
  }
}
