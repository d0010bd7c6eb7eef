// Commands about the work of the built-in master, and its agent.
import { type Command, Option } from 'commander'
import { lazily } from './lazily.ts'
import { configOption, formatOption, masterOption, several, tokenOption } from './options.ts'

export function declareWork(program: Command): void {
  program
    .command('submit')
    .description('hand work in: a command to run, or slots to hold for a while')
    .argument('[command...]', 'what to run, after --')
    .option('--slots <n>', 'accelerators it needs (default: 1)')
    .addOption(new Option('--aux', 'auxiliary work: it needs no slot').conflicts('slots'))
    .option('--duration <time>', 'hold the slots for this long, such as 10m, instead of running a command')
    .option('--pool <name>', "the resource pool (default: the master's)")
    .option('--name <name>', 'shown in lists')
    .option('--priority <n>', '1 first, 99 last (default: 42)')
    .option('--env <KEY=VALUE>', 'a variable for the command (may be given again)', several)
    .option('--workdir <dir>', 'where the command runs, on the agent')
    .option('--id <id>', 'handed in again with the same id, it is still one piece of work')
    .option('--wait', 'follow it until it ends, print what it prints; exit status 0 only when it finished')
    .addOption(configOption())
    .addOption(masterOption())
    .addOption(tokenOption())
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('../jobs.ts')))

  program
    .command('work')
    .description('list the work of the master, or show or end one piece')
    .argument('[id]', 'of the work')
    .option('--logs', 'print the last lines it printed')
    .option('--kill', 'end it')
    .addOption(configOption())
    .addOption(masterOption())
    .addOption(tokenOption())
    .addOption(formatOption('text', 'json'))
    .action(lazily(() => import('../commands/work.ts')))

  program
    .command('agent')
    .description("run the built-in agent; flags, DET_* variables and agent.yaml are the real agent's")
    .argument('[flags...]', 'such as --config-file, --master-host, --slot-type; --help lists them')
    // The agent lists its options itself.
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(lazily(() => import('../commands/agent.ts')))
}
