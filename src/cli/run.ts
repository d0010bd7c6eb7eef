// `provision`: runs until it is stopped; prints a live table on a terminal, JSON log lines elsewhere.

import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import type { MasterConfig, PoolConfig } from '../config/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import type { DryRunPool } from '../provisioner/index.ts'
import { type CliCommand, type Flag, type Format, formatFlag, version } from './command.ts'
import { liveView } from './fleet-text.ts'
import { withProgress } from './progress.ts'
import { liveAreaOn } from './table.ts'
import {
  type Context,
  confirm,
  type ExitStatus,
  printJson,
  sayCount,
  sayProblems,
  type Terminal,
  usage,
  writeOutput,
} from './terminal.ts'

/** The program without a command. Returns its action; with --dry-run that is the dry run. */
export function declareRun(
  program: CliCommand,
  configFile: Flag<string>,
): (context: Context) => Promise<ExitStatus> {
  const dryRun = declareDryRun(program, configFile)
  const terminateOnExit = program.toggle(
    '--terminate-on-exit',
    'when the provisioner stops, also terminate its cloud instances; asks for confirmation at the start',
  )
  const yes = program.toggle('-y, --yes', 'with --terminate-on-exit: do not ask for confirmation')
  const logLevel = program.choice('--log-level <level>', '', ['debug', 'info', 'warn', 'error'], 'info')

  return async (context) => {
    if (dryRun.isAskedFor.value) return dryRun.run(context)
    const { terminal, env } = context
    // Ignoring them silently would suggest that they have an effect.
    const stray = dryRun.itsOwn.find(([, flag]) => flag.isGiven)
    if (stray) throw onlyDryRun(stray[0])
    const format = dryRun.format.value
    if (format === 'raw') throw onlyDryRun('--format raw')
    const { loadConfig } = await import('../config/index.ts')
    const { builtInProviders: providers } = await import('../providers/index.ts')
    const { config, problems } = loadConfig(configFile.value, { env, providers })
    sayProblems(terminal, problems)
    if (!config) return sayCount(terminal, problems)
    if (terminateOnExit.value && !(await mayTerminate(cloudPools(config, providers), yes.value, terminal)))
      return 1
    const { runDaemon } = await import('../provisioner/index.ts')
    const stopping = terminateOnExit.value
      ? 'Ctrl-C terminates every instance, also in clouds, and stops.'
      : 'Ctrl-C stops the provisioner and its local agents.'
    const watched = terminal.interactive && format === 'text'
    const area = watched ? await liveAreaOn(terminal) : undefined
    await runDaemon({
      config,
      providers,
      version,
      env,
      logLevel: logLevel.value,
      terminateOnExit: terminateOnExit.value,
      logFormat: area ? 'text' : 'json',
      write: (line) => (area ? area.print(line.trimEnd()) : terminal.write(line)),
      ...(area && {
        onChange: (rows, now) => area.draw(['', ...liveView(rows, now, area.measure), '', stopping]),
      }),
    })
    area?.draw([])
    area?.close()
    return 0
  }
}

function onlyDryRun(flag: string): ProvisionError {
  return usage(`${flag} needs --dry-run or a command`, `Add --dry-run, or omit ${flag}.`)
}

/** Local instances always end with the provisioner. */
function cloudPools({ resource_pools }: MasterConfig, providers: readonly AnyProvider[]): string[] {
  const isElsewhere = ({ provider }: PoolConfig) =>
    provider && !providers.find(({ kind }) => kind === provider.type)?.onThisMachine
  return resource_pools.filter(isElsewhere).map(({ pool_name }) => pool_name)
}

async function mayTerminate(pools: string[], yes: boolean, terminal: Terminal): Promise<boolean> {
  if (pools.length === 0) return true
  const question = `Terminate every instance of ${pools.join(', ')} when this provisioner is stopped? Their jobs are lost.`
  return confirm(question, yes, terminal)
}

// `provision --dry-run`: prints the exact user data of each pool and a report; needs no credentials, network or key.

/** Its own flags, and the program's --format, whose `raw` only the dry run uses. */
export function declareDryRun(program: CliCommand, configFile: Flag<string>) {
  const isAskedFor = program.toggle(
    '--dry-run',
    'print the user data of each pool; needs no credentials, network or key',
  )
  const pool = program.list('--pool <name>', 'with --dry-run: only this pool (repeatable)')
  const masterHost = program.text(
    '--master-host <host>',
    'with --dry-run: dial this host instead of an alias such as local-ipv4',
  )
  const format = formatFlag(program, 'text', 'json', 'raw')
  const out = program.text('--out <dir>', 'with --dry-run: write files into this folder')
  const itsOwn: [name: string, flag: Flag<unknown>][] = [
    ['--pool', pool],
    ['--out', out],
    ['--master-host', masterHost],
  ]

  async function run(context: Context): Promise<ExitStatus> {
    const { terminal, env } = context
    const { dryRunPool, isReady, once, planAll, validateAll } = await import('../provisioner/index.ts')
    const { loadConfig } = await import('../config/index.ts')
    const { builtInProviders: providers } = await import('../providers/index.ts')
    const now = Date.now()
    const { config, problems } = loadConfig(configFile.value, { env, providers })
    if (!config) {
      // Errors in the file must not hide those in what it names.
      const { problems: every } = await validateAll(configFile.value, { env, now, providers })
      sayProblems(terminal, every)
      return sayCount(terminal, every)
    }
    sayProblems(terminal, problems)

    const wanted = { pools: pool.value, masterHost: masterHost.value, now, providers }
    const { plans, problems: shared } = await withProgress(
      terminal,
      'rendering the user data of the pools',
      () => planAll(config, wanted),
    )
    sayProblems(terminal, shared)
    let said = once([...problems, ...shared])
    const pools: DryRunPool[] = []
    for (const plan of plans) {
      const { pool_name, provider } = plan.pool
      if (isReady(plan)) {
        const shown = dryRunPool(plan, [...shared, ...plan.problems])
        pools.push(shown)
        for (const line of dryRunReport(shown, terminal, now)) terminal.say(line)
      } else {
        terminal.say(terminal.style('bold', `pool ${pool_name} (${provider.type}) cannot be launched`))
      }
      const all = once([...said, ...plan.problems])
      sayProblems(terminal, all.slice(said.length))
      said = all
    }
    if (pools.length > 0) await print(pools, format.value, out.value, context)
    return sayCount(terminal, said)
  }

  return { isAskedFor, format, itsOwn, run }
}

async function print(
  pools: DryRunPool[],
  format: Format,
  out: string | undefined,
  { terminal, cwd }: Context,
): Promise<void> {
  if (out !== undefined) {
    await writeFiles(pools, format, resolve(cwd, out), terminal.say)
  } else if (format === 'json') {
    printJson(terminal, { pools })
  } else if (format === 'raw') {
    terminal.out(packedBytes(onlyOne(pools)))
  } else {
    for (const { pool, userData } of pools) {
      // With one pool the output is the script itself, so that it can be piped; several are separated by a line.
      if (pools.length > 1) terminal.out(`# ---- pool ${pool}\n`)
      terminal.out(userData)
    }
  }
}

function onlyOne(pools: DryRunPool[]): DryRunPool {
  if (pools.length === 1) return pools[0]!
  const remedy = 'Choose one with --pool, or write one file for each pool with --out.'
  throw new ProvisionError(
    problem('USAGE', `--format raw prints one pool, but ${pools.length} are selected`, { remedy }),
  )
}

function packedBytes(pool: DryRunPool): Buffer {
  return Buffer.from(pool.packedBase64, 'base64')
}

function fileOf(pool: DryRunPool, format: Format): { extension: string; data: string | Uint8Array } {
  if (format === 'json') return { extension: 'json', data: `${JSON.stringify(pool, undefined, 2)}\n` }
  if (format === 'raw') return { extension: 'user-data', data: packedBytes(pool) }
  return { extension: 'sh', data: pool.userData }
}

async function writeFiles(
  pools: DryRunPool[],
  format: Format,
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  const { fileNameOf } = await import('../platform/index.ts')
  for (const pool of pools) {
    const { extension, data } = fileOf(pool, format)
    const file = join(folder, `${fileNameOf(pool.pool)}.${extension}`)
    writeOutput(file, data)
    say(`wrote ${file}`)
  }
}

/**
 * The report: how agents trust the master, what they dial, how large the user data is.
 * @param now milliseconds since the epoch
 */
function dryRunReport(pool: DryRunPool, terminal: Terminal, now: number): string[] {
  const { tls, bytes, request, gangRequest } = pool
  const { style } = terminal
  const line = (name: string, text: string) => `  ${style('dim', name.padEnd(12))} ${text}`
  const because = (text: string) => style('dim', ` (${text})`)
  const untilOf = ({ subject, notAfter }: { subject: string; notAfter: string }) =>
    `${subject}, until ${notAfter.slice(0, 10)}${daysLeft(notAfter, now)}`
  return [
    style('bold', `pool ${pool.pool} (${pool.provider})`),
    line('trust', `${tls.mode}${because(tls.modeReason)}`),
    line('name', `${tls.certificateName ?? 'none'}${because(tls.certificateNameReason)}`),
    ...tls.masterUrls.map((url, n) => line(n === 0 ? 'dialled' : 'or', url)),
    ...tls.chain.flatMap((certificate) => [
      line(certificate.role, untilOf(certificate)),
      line('', `SHA-256 ${certificate.sha256}`),
      ...(certificate.role === 'leaf' ? [line('', `for ${certificate.sans.join(', ')}`)] : []),
    ]),
    ...(tls.wellKnownRoot
      ? [line('root', untilOf(tls.wellKnownRoot)), line('', `SHA-256 ${tls.wellKnownRoot.sha256}`)]
      : []),
    ...(pool.join
      ? [
          line('join', `${pool.join.proof}${because(pool.join.proofs.join(', then '))}`),
          line('', `at ${pool.join.url}`),
          line(
            '',
            `as ${pool.join.name}${because(pool.join.hasOwnChain ? 'verified by a chain of its own' : 'verified as the master')}`,
          ),
          ...pool.join.others.map(({ url, name }) => line('', `or at ${url} as ${name}`)),
        ]
      : []),
    line('user data', sizes(pool.encoding, bytes)),
    ...requestLines(request).map((text, n) => line(n === 0 ? 'request' : '', text)),
    ...(gangRequest
      ? [
          line(
            'gang',
            'each job that needs several instances gets a launch of its own, with names of its own; for 2 instances:',
          ),
          ...requestLines(gangRequest).map((text) => line('', text)),
        ]
      : []),
  ]
}

function daysLeft(notAfter: string, now: number): string {
  const days = Math.floor((Date.parse(notAfter) - now) / 86_400_000)
  return ` (${days} days)`
}

/** 16,384. Not by toLocaleString: its first call loads locale data, which takes 16 ms. */
function number(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',')
}

function sizes(encoding: string, { script, packed, limit }: DryRunPool['bytes']): string {
  const form =
    encoding === 'plain'
      ? `${number(packed)} bytes`
      : `${number(packed)} bytes as ${encoding}, ${number(script)} unpacked`
  return limit === undefined ? `${form}, no limit` : `${form} of ${number(limit)}`
}

/** The calls in order, each with a line for every field of its body; fallbacks are named only. */
function requestLines({ call, body, region, before = [], fallbacks = [] }: DryRunPool['request']): string[] {
  const location = region ? ` in ${region}` : ''
  const fallback = fallbacks.map((next) => `, then ${next.call} for what is missing`).join('')
  return [
    ...before.flatMap((first) => [`${first.call}${location}, unless it exists`, ...fieldLines(first.body)]),
    `${call}${location}${fallback}`,
    ...fieldLines(body),
  ]
}

/** A field with fields is split once: readers look for the parts of a launch template. */
function fieldLines(body: Record<string, unknown>): string[] {
  return Object.entries(body).flatMap(([name, value]) => {
    const whole = `  ${name}: ${oneLine(value)}`
    if (whole.length <= 120 || typeof value !== 'object' || value === null) return [whole]
    const parts = Array.isArray(value)
      ? value.map((item) => `- ${oneLine(item)}`)
      : Object.entries(value).map(([key, part]) => `${key}: ${oneLine(part)}`)
    return [`  ${name}:`, ...parts.map((part) => `    ${part}`)]
  })
}

function oneLine(value: unknown): string {
  if (typeof value === 'string') return value
  return inspect(tagsAsObject(value), { breakLength: Number.POSITIVE_INFINITY, compact: true, depth: 8 })
}

/** EC2's lists of `{Key, Value}` fill half a screen; one object is readable. */
function tagsAsObject(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, tagsAsObject(part)]))
  const isTags =
    value.length > 0 && value.every((item) => item?.Key !== undefined && item?.Value !== undefined)
  return isTags ? Object.fromEntries(value.map(({ Key, Value }) => [Key, Value])) : value.map(tagsAsObject)
}
