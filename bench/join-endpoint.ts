// The process of `bench/joins.ts` with the join endpoint: prints its port; measures from the first line of its input until it ends.
import { once } from 'node:events'
import { listen } from '../src/http/index.ts'
import { ensureCa, joinHandler, openAgentsCa } from '../src/join/index.ts'
import { systemClock } from '../src/platform/index.ts'
import { openStateStore } from '../src/state/index.ts'
import { watchTurns } from './measure.ts'

const logger = { debug() {}, info() {}, warn: console.error, error: console.error }
const { join: store, ...state } = await openStateStore(
  { state_dir: process.env['BENCH_STATE']! },
  { clock: systemClock, logger, env: {} },
)
await ensureCa(store, Date.now())
const ca = openAgentsCa(store)
const launched = { pool: 'gpu', addresses: ['127.0.0.1'], launchedAt: 0, isAlive: true }
const handler = joinHandler({
  ca,
  store,
  poolOf: () => ({ url: 'https://127.0.0.1', verifiers: [{ kind: 'none', async verify() {} }] }),
  lookup: (id) => ({ ...launched, id }),
  lifetime: 604_800_000,
  clock: systemClock,
  logger,
})
const [cert, key] = JSON.parse(process.env['BENCH_PAIR']!)
const { port, close } = await listen({
  ...{ address: '127.0.0.1', port: 0, handlers: [handler], logger },
  tls: { cert, key, clientCas: { agents: (await ca.current()).bundle } },
})
process.stdout.write(`${port}\n`)
await once(process.stdin, 'data')
const turns = watchTurns()
const cpu = process.cpuUsage()
await once(process.stdin, 'end')
const { user, system } = process.cpuUsage(cpu)
process.stdout.write(`${JSON.stringify({ ...turns.end(), cpuMs: (user + system) / 1000 })}\n`)
await close(0)
await state.close()
