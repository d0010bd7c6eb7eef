// Commands for the jobs of the built-in master, and its agent: submit, jobs, agent.
import type { JobOrder, JobView } from '../http/index.ts'
import type { ProvisionError } from '../problems/index.ts'
import { type CliCommand, configFlag, formatFlag, masterFlag, tokenFlag, version } from './command.ts'
import { waitingClock } from './table.ts'
import { printJson, usage } from './terminal.ts'

export function declareJobs(program: CliCommand): void {
  submit(program)
  jobs(program)
  agent(program)
}

function submit(program: CliCommand): void {
  const submitted = program.command('submit', 'submit a job: run a command, or hold slots for a while')
  const words = submitted.rest('[command...]', 'what to run, after --')
  const slots = submitted.text('--slots <n>', 'slots (accelerators) the job needs (default: 1)')
  const aux = submitted.toggle('--aux', 'an auxiliary job: it needs no slot', ['slots'])
  const duration = submitted.text(
    '--duration <time>',
    'hold the slots for this long, such as 10m, instead of running a command',
  )
  const pool = submitted.text('--pool <name>', "the resource pool (default: the master's)")
  const name = submitted.text('--name <name>', 'shown in lists')
  const priority = submitted.text('--priority <n>', '1 first, 99 last (default: 42)')
  const env = submitted.list('--env <KEY=VALUE>', 'a variable for the command (repeatable)')
  const workdir = submitted.text('--workdir <dir>', 'where the command runs, on the agent')
  const image = submitted.text(
    '--image <image>',
    "run the command in a container of this image, which Determined's agents do",
  )
  const id = submitted.text('--id <id>', 'id of the job; submitting the same id again creates no second job')
  const force = submitted.toggle(
    '--force',
    'also submit a job that its pool can never run as it is configured',
  )
  const wait = submitted.toggle(
    '--wait',
    'follow the job until it ends and print its output; exit with the status of its command, or 125 if it has none',
  )
  const { format, client } = asking(submitted)

  submitted.action(async ({ terminal }) => {
    const order = await orderOf()
    const { submitJob } = await import('../http/index.ts')
    const { exitStatusOfJob, followOnTerminal, stateSentence } = await import('./jobs-text.ts')
    const master = await client()
    const job = await submitJob(master, order, waitingClock)
    const printJob = (view: JobView) => printJson(terminal, { job: view })
    if (!wait.value) {
      if (format.value === 'json') printJob(job)
      else terminal.out(`${job.task}\n`)
      // A moment after the submission the reason is hardly news: `jobs ID` gives it.
      terminal.say(stateSentence(job))
      return 0
    }
    if (terminal.interactive) terminal.say('Ctrl-C stops watching; the job continues.')
    const ended = await followOnTerminal(master, job.task, format.value, terminal)
    if (format.value === 'json') printJob(ended)
    return exitStatusOfJob(ended)
  })

  async function orderOf(): Promise<JobOrder> {
    const [command, period] = [words.value, duration.value]
    if ((period === undefined) === (command.length === 0))
      throw usage(
        'use either --duration or a command after --',
        'For example: `provision submit -- nvidia-smi`.',
      )
    if (period !== undefined && (env.value || workdir.value || image.value))
      throw wrong('submit', '--env, --workdir and --image need a command; --duration runs none')
    const { randomUUID } = await import('node:crypto')
    return {
      id: id.value ?? randomUUID(),
      slots: aux.value ? 0 : wholeNumber('--slots', slots.value),
      priority: wholeNumber('--priority', priority.value),
      name: name.value,
      resourcePool: pool.value,
      ...(force.value ? { force: true } : {}),
      ...(period === undefined
        ? {
            ...{ command, env: variables(env.value), workingDirectory: workdir.value },
            ...(image.value === undefined ? {} : { image: image.value }),
          }
        : { duration: period }),
    }
  }
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw wrong('submit', `${flag} must be an integer without a sign, not ${JSON.stringify(text)}`)
}

function variables(given: string[] = []): Record<string, string> {
  const pairs = given.map((text): [string, string] => {
    const at = text.indexOf('=')
    // The value is not shown: it may be a secret whose name was forgotten.
    if (at < 1) throw wrong('submit', '--env needs KEY=VALUE')
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}

function jobs(program: CliCommand): void {
  const command = program.command('jobs', 'list the jobs of the master; show or cancel one', {
    alias: 'work',
  })
  const one = command.argument('[id]', 'id of a job (default: list all)')
  const logs = command.toggle('--logs', 'print the last lines of its output')
  const kill = command.toggle('--kill', 'cancel it')
  const { format, client } = asking(command)

  command.action(async ({ terminal }) => {
    const id = one.value
    const asJson = format.value === 'json'
    const lines = (texts: string[]) => terminal.out(`${texts.join('\n')}\n`)
    if (id === undefined && (logs.value || kill.value))
      throw wrong('jobs', `--${logs.value ? 'logs' : 'kill'} needs the id of a job`)
    if (logs.value && kill.value) throw wrong('jobs', '--logs and --kill cannot be combined')

    const { killJob, listJobs, logsOf, showJob } = await import('../http/index.ts')
    const { printLine, stateSentence, jobLines, jobTable } = await import('./jobs-text.ts')
    const master = await client()
    if (id === undefined) {
      const jobs = await listJobs(master)
      if (asJson) printJson(terminal, { jobs })
      else if (jobs.length > 0) lines(await jobTable(jobs))
      else terminal.say('no jobs')
    } else if (logs.value) {
      const job = await showJob(master, id)
      const found = await logsOf(master, id)
      if (asJson) printJson(terminal, found)
      else for (const line of found.logs) printLine(line, job, terminal, 'text')
    } else {
      const job = kill.value ? await killJob(master, id) : await showJob(master, id)
      if (asJson) printJson(terminal, { job })
      else if (kill.value) terminal.say(stateSentence(job))
      else lines(jobLines(job, waitingClock.now()))
    }
    return 0
  })
}

/** The flags of a command that queries a master for its jobs. */
function asking(command: CliCommand) {
  const config = configFlag(command)
  const master = masterFlag(command)
  const tokenFile = tokenFlag(command)
  const format = formatFlag(command)
  return {
    format,
    client: async () => {
      const { connectJobs } = await import('./connect.ts')
      return connectJobs({ config, master, tokenFile }, command.context)
    },
  }
}

function wrong(command: 'submit' | 'jobs', message: string): ProvisionError {
  return usage(message, `See \`provision ${command} --help\`.`)
}

/** The built-in agent, as the startup script of an instance starts it. It prints its own help. */
function agent(program: CliCommand): void {
  const command = program.command(
    'agent',
    "run the built-in agent; it takes the flags, DET_* variables and agent.yaml of Determined's agent",
  )
  const flags = command.rest(
    '[flags...]',
    'such as --config-file, --master-host, --slot-type; --help lists them all',
  )
  command.commander.helpOption(false).allowUnknownOption().passThroughOptions()
  command.action(async ({ terminal, env }) => {
    const { agentHelp, runAgentProcess } = await import('../standalone/index.ts')
    const argv = flags.value
    if (argv.some((word) => word === '--help' || word === '-h')) {
      terminal.out(agentHelp())
      return 0
    }
    // The real agent's command line begins with `run`.
    return runAgentProcess({
      argv: argv[0] === 'run' ? argv.slice(1) : argv,
      env,
      version,
      write: terminal.write,
    })
  })
}
