// `provision explain`: why a pool did what it did last, or does nothing; from a running provisioner or a kept snapshot.
import type { Explanation } from '../../app/explain.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { explanationLines } from '../explain-text.ts'
import { readInput } from '../read-input.ts'

interface Options {
  snapshot?: string
  format: 'text' | 'json'
}

export async function run(
  { snapshot, format }: Options,
  { terminal, cwd }: CommandContext,
): Promise<ExitStatus> {
  const { explainSnapshot } = await import('../../app/explain.ts')
  const found = explainSnapshot(readInput(snapshot!, cwd).toString(), snapshot!)
  print([found])

  function print(explanations: Explanation[]): void {
    if (format === 'json') terminal.out(`${JSON.stringify(explanations, undefined, 2)}\n`)
    else terminal.out(`${explanations.map((each) => explanationLines(each).join('\n')).join('\n\n')}\n`)
  }
  return 0
}
