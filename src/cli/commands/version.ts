// `provision version`: what this is, what it runs on, which agents it launches by default; with -m the master's, too.
import { defaultAgentImage } from '../../config/provider-keys.ts'
import { productName } from '../../http/status-endpoints.ts'
import type { CommandContext } from '../command.ts'
import { connect } from '../connect.ts'
import type { ExitStatus } from '../exit.ts'
import { version } from '../version.ts'

interface Options {
  config: string
  master?: string
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext): Promise<ExitStatus> {
  const { terminal } = context
  const own = { version, node: process.version, agentImage: defaultAgentImage }
  const master = options.master === undefined ? undefined : await masterOf(options, context)
  if (options.format === 'json') {
    terminal.out(`${JSON.stringify({ ...own, ...(master && { master }) }, undefined, 2)}\n`)
    return 0
  }
  const rows = [
    ['provision', own.version],
    ['node', own.node],
    ['agents', own.agentImage],
    ...(master ? [['master', `${master.version} (${master.product}) at ${master.url}`]] : []),
  ]
  terminal.out(rows.map(([name = '', text]) => `${name.padEnd(10)} ${text}\n`).join(''))
  return 0
}

async function masterOf(options: Options, context: CommandContext) {
  const client = connect(options, context)
  const about = await client.about()
  return {
    url: client.url,
    version: about.version,
    product: about.product === productName ? productName : 'determined',
  }
}
