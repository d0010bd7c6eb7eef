// Tests a pool of your own file in your own AWS account with real VMs, which run for minutes and cost money.
// node scripts/aws-real-account.ts -c master.yaml --pool gpu --yes-spend-money --max-dollars 2 --price 1.21 [--minutes
// 10]
// See docs/aws.md. Exits with 1 when a trial failed, with 2 when it did not start.
import { randomUUID } from 'node:crypto'
import { EC2Client } from '@aws-sdk/client-ec2'
import { systemClock } from '../src/platform/clock.ts'
import { create } from '../src/providers/aws/provider.ts'
import { clearUp } from './aws-real-account/clear-up.ts'
import type { Account } from './aws-real-account/launches.ts'
import { accountOptions, RefusedOptions } from './aws-real-account/options.ts'
import { trials } from './aws-real-account/trials.ts'

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof RefusedOptions)) throw error
  console.error(error.message)
  return 2
})

async function main(): Promise<0 | 1> {
  const options = accountOptions(process.argv.slice(2))
  const account = await openAccount(options)
  const deadline = AbortSignal.timeout(options.minutes * 60_000)
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())
  const signal = AbortSignal.any([deadline, stopped.signal])
  console.log(`cluster ${account.owner.clusterId}; at most ${options.worstCase.toFixed(2)} dollars`)
  let failed = 0
  try {
    for (const [name, trial, applies = () => true] of trials) {
      if (!applies(account)) {
        console.log(`skipped  ${name}: the pool is not one for it`)
        continue
      }
      if (signal.aborted) {
        failed++
        console.log(`not done  ${name}: ${stopped.signal.aborted ? 'stopped' : 'the time is over'}`)
        continue
      }
      const start = performance.now()
      const wrong = await trial(account, signal).catch(String)
      if (wrong) failed++
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      console.log(`${wrong ? 'NOT AS EXPECTED' : 'ok'}  ${name} (${seconds} s)${wrong ? `: ${wrong}` : ''}`)
    }
  } finally {
    await clearUp(account).catch((error: unknown) => {
      failed++
      console.error(`not cleared up, end what carries the cluster's tag by hand: ${error}`)
    })
    await account.provider.close()
    account.ec2.destroy()
  }
  console.log(failed ? `${failed} not as expected` : 'all as expected')
  return failed ? 1 : 0
}

/** A separate cluster: the VMs of the real one are neither listed nor changed. */
async function openAccount({ pool, file, ...options }: ReturnType<typeof accountOptions>): Promise<Account> {
  const { provider: config } = pool
  const owner = { clusterId: `trial-${randomUUID()}`, pool: pool.pool_name, writerId: randomUUID() }
  const quiet = () => {}
  const warn = (message: string) => console.log(message)
  const context = {
    config,
    owner,
    master: { scheme: 'https', host: 'trial.invalid', port: 8443 } as const,
    stateDir: '/nowhere',
    env: process.env,
    clock: systemClock,
    logger: { debug: quiet, info: quiet, warn, error: warn },
  }
  const ec2 = new EC2Client(config.region ? { region: config.region } : {})
  return { ...options, file, config, context, owner, ec2, provider: await create(context), ids: new Set() }
}
