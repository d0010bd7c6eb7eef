// How a local VM's script starts its agent: this very program, with the Node.js that runs it.
import { resolve } from 'node:path'

export function localAgentCommand(): string[] {
  return [process.execPath, resolve(process.argv[1] ?? ''), 'agent']
}
