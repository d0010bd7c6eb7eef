// `provision schema`: the JSON Schema of master.yaml.
import { configSchema } from '../../config/reference.ts'
import { builtInProviders } from '../../providers/registry.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'

export async function run(_options: object, { terminal }: CommandContext): Promise<ExitStatus> {
  terminal.out(`${JSON.stringify(configSchema(builtInProviders), undefined, 2)}\n`)
  return 0
}
