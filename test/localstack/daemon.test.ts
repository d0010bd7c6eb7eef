// The whole program against LocalStack: a process, its own master, and VMs that run their user data. Jobs are submitted,
// five VMs are launched in each of two pools and join over TLS; when the jobs end, the VMs are terminated.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { DescribeInstancesCommand } from '@aws-sdk/client-ec2'
import { afterEach, expect, inject, it, onTestFailed } from 'vitest'
import { type Ec2Vms, runEc2Vms } from '../support/ec2-vms.ts'
import { runCli, runCliAside } from '../support/run-cli.ts'
import { Cluster } from '../support/stand-alone.ts'
import { type LocalStackCloud, localStackCloud } from './cloud.ts'

let cluster: Cluster
let cloud: LocalStackCloud
let vms: Ec2Vms | undefined
let daemon: ChildProcess | undefined
afterEach(async () => {
  daemon?.kill('SIGKILL')
  await vms?.close()
  await cloud.dispose()
  await cluster.dispose()
})

/**
 * `default` has two subnets, so its launches are fleets; `single` has one, and LocalStack's RunInstances launches one
 * VM for each call.
 */
const pools = ['default', 'single']

const provider = (subnets: string[]) => [
  'type: aws',
  'region: us-west-2',
  `image: {id: ${cloud.image}}`,
  'instance_type: g5.12xlarge',
  `subnet_ids: [${subnets.join(', ')}]`,
  'master_url: https://127.0.0.1',
  'agent_runtime: process',
  'agent_config_file_contents: {artificial_slots: 4}',
  'metadata_hop_limit: 1',
  'min_instances: 0',
  'max_instances: 5',
  'max_idle_agent_period: 1s',
]

it('pools go from 0 to 5 VMs and back to 0', async () => {
  cluster = new Cluster()
  cloud = await localStackCloud()
  await cluster.certificate()
  await cluster.config(...provider(cloud.subnets))
  const [subnet] = cloud.subnets
  const single = [
    '  - pool_name: single',
    '    provider:',
    ...provider([subnet]).map((line) => `      ${line}`),
  ]
  appendFileSync(join(cluster.dir, 'master.yaml'), `${single.join('\n')}\n`)

  const at = { cwd: cluster.dir }
  const shown = runCli(['--dry-run', '--format', 'json'], at)
  expect(shown.status, shown.stderr).toBe(0)

  let said = ''
  onTestFailed(() => console.log(said))
  daemon = spawn(process.execPath, ['--no-warnings', inject('cli'), '-c', 'master.yaml'], {
    ...at,
    env: { PATH: process.env['PATH'], ...cloud.env },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  daemon.stderr!.on('data', (part) => (said += part))
  vms = runEc2Vms(cloud.ec2, inject('cli'))
  await expect.poll(() => said, { timeout: 60_000 }).toContain('"the master listens"')
  for (const pool of [...Array(5).fill(pools).flat()]) {
    const submitted = await runCliAside(['submit', '--pool', pool, '--slots', '4', '--duration', '15s'], at)
    expect(submitted.status, submitted.stderr).toBe(0)
  }

  // An unknown cluster is listed twice, a minute apart, before anything is launched in it.
  const joined = () => [...said.matchAll(/"agent joined"/g)].length
  await expect.poll(joined, { timeout: 120_000 }).toBe(10)
  expect(vms.running()).toHaveLength(10)
  await expect.poll(states, { timeout: 240_000 }).toEqual(Array(10).fill('terminated'))
  await expect.poll(vms.running).toEqual([])

  const scripts = pools.map((_, index) => JSON.parse(shown.stdout).pools[index].userData)
  expect([...vms.scripts.values()].sort()).toEqual(Array(5).fill(scripts).flat().sort())
  const ended = once(daemon, 'close')
  daemon.kill('SIGTERM')
  expect((await ended)[0], said).toBe(0)
}, 240_000)

async function states(): Promise<(string | undefined)[]> {
  const { Reservations = [] } = await cloud.ec2.send(new DescribeInstancesCommand({}))
  return Reservations.flatMap(({ Instances = [] }) => Instances).map(({ State }) => State?.Name)
}
