// `provision unpack`: from what a cloud was given back to the script.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { unpackUserData } from '../../userdata/unpack.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'

export async function run(
  _options: object,
  { terminal, cwd }: CommandContext,
  [file]: string[],
): Promise<ExitStatus> {
  terminal.out(await unpackUserData(readFileSync(file === undefined ? 0 : resolve(cwd, file))))
  return 0
}
