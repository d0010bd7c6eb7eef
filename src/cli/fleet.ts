// Commands to a running provisioner: what it does, and what it is told.
import { type Command, Option } from 'commander'
import { lazily } from './program/lazily.ts'
import { configOption, formatOption, tokenOption } from './program/options.ts'

/** Unlike that of `submit`, without DET_MASTER: beside a Determined master it names another program. */
function provisionerOption(): Option {
  return new Option(
    '-m, --master <url>',
    'a provisioner elsewhere, by its TLS listener (default: the one of this machine, by its control socket)',
  )
}

function addressed(command: Command): Command {
  return command
    .addOption(configOption())
    .addOption(provisionerOption())
    .addOption(tokenOption())
    .addOption(formatOption('text', 'json'))
}

function yes(): Option {
  return new Option('-y, --yes', 'do not ask')
}

function watch(): Option {
  return new Option('-w, --watch', 'go on looking, every 2 s')
}

export function declareFleet(program: Command): void {
  addressed(program.command('status'))
    .description('show the pools, and what keeps them from doing more')
    .addOption(watch())
    .action(lazily(() => import('./commands/status.ts')))

  addressed(program.command('instances'))
    .description('list the VMs')
    .option('--pool <name>', 'only this pool')
    .addOption(watch())
    .action(lazily(() => import('./commands/instances.ts')))

  addressed(program.command('agents'))
    .description('list the agents, with their slots and whether they have work')
    .option('--pool <name>', 'only this pool')
    .addOption(watch())
    .action(lazily(() => import('./commands/agents.ts')))

  addressed(program.command('launch'))
    .description('launch VMs that no work calls for; idle, they are removed like any other')
    .argument('[count]', 'how many (default: 1); all or none')
    .option('--pool <name>', 'the pool, where there are several')
    .action(lazily(() => import('./commands/launch.ts')))

  addressed(program.command('drain'))
    .description('give VMs no more work, and end them when they have none')
    .argument('<ids...>', 'of the instances')
    .option('--undo', 'take it back, for VMs that are not ended yet')
    .addOption(yes())
    .action(lazily(() => import('./commands/drain.ts')))

  addressed(program.command('terminate'))
    .description('end VMs now; those with work only with --force')
    .argument('<ids...>', 'of the instances')
    .option('--force', 'also when they have work, which is lost')
    .addOption(yes())
    .action(lazily(() => import('./commands/terminate.ts')))

  addressed(program.command('pause'))
    .description('launch and end nothing in these pools until they are resumed, also after a restart')
    .argument('[pools...]', 'may be left out where there is one')
    .option('--all', 'every pool')
    .action(lazily(() => import('./commands/pause.ts')))

  addressed(program.command('resume'))
    .description('let paused pools go on')
    .argument('[pools...]', 'may be left out where there is one')
    .option('--all', 'every pool')
    .action(lazily(() => import('./commands/resume.ts')))

  addressed(program.command('adopt'))
    .description('take over the VMs that another provisioner, which is gone, launched in a pool')
    .argument('[pool]', 'may be left out where there is one')
    .addOption(yes())
    .action(lazily(() => import('./commands/adopt.ts')))

  addressed(program.command('explain'))
    .description('tell why pools did what they did last, or do nothing: work, VMs, room, decisions, reasons')
    .argument('[pools...]', 'all without it')
    .option('--snapshot <file>', 'explain a kept snapshot (- is standard input) and ask nobody')
    .option('--save <file>', 'keep what the pool saw, to explain it again elsewhere (- prints only that)')
    .action(lazily(() => import('./commands/explain.ts')))

  addressed(program.command('logs'))
    .description('print what was decided and what became of it, oldest first; of a stopped provisioner, too')
    .option('--pool <name>', 'only this pool')
    .option('--since <time>', 'only the last 10m, 2h …')
    .option('-n, --limit <n>', 'the newest so many', '100')
    .option('-f, --follow', 'go on with what happens now')
    .action(lazily(() => import('./logs.ts')))
}
