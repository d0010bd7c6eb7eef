// `provision unpack`: from what a cloud was given back to the script.
import { unpackUserData } from '../../agent-setup/pack.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { readInput } from '../read-input.ts'

export async function run(
  _options: object,
  { terminal, cwd }: CommandContext,
  [file]: string[],
): Promise<ExitStatus> {
  terminal.out(await unpackUserData(await readInput(file ?? '-', cwd)))
  return 0
}
