// Options that several commands share, and mean the same by.
import { Option } from 'commander'

export function configOption(): Option {
  return new Option('-c, --config <file>', 'the configuration').default('master.yaml').env('DET_CONFIG_FILE')
}

export function formatOption(...choices: string[]): Option {
  return new Option('--format <format>', 'how results are printed').choices(choices).default(choices[0])
}

export function masterOption(): Option {
  return new Option('-m, --master <url>', 'the master to talk to, in place of the one configured').env(
    'DET_MASTER',
  )
}

export function tokenOption(): Option {
  return new Option(
    '--token-file <file>',
    'where the token is (default: <state_dir>/token of the configuration)',
  )
}

export function several(value: string, list: string[] = []): string[] {
  return [...list, value]
}
