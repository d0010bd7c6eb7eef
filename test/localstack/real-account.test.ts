// The trial for a real account, on LocalStack: it runs to its end, leaves nothing behind, and detects where LocalStack
// differs from EC2.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DescribeInstancesCommand, DescribeLaunchTemplatesCommand } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { root } from '../support/sources.ts'
import { localStackCloud } from './cloud.ts'

it('ends with everything terminated, and reports the differences from EC2', async () => {
  const cloud = await localStackCloud()
  const folder = mkdtempSync(join(tmpdir(), 'trial-'))
  writeFileSync(
    join(folder, 'master.yaml'),
    `resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      master_url: http://master.test
      image: {id: ${cloud.image}}
      instance_types: [{type: g5.xlarge}, {type: g4dn.xlarge}]
      subnet_ids: [${cloud.subnets.join(', ')}]
      spot: {enabled: true, fallback: on_demand}
      max_instances: 2
`,
  )
  const flags = ['--yes-spend-money', '--max-dollars', '1', '--price', '1']
  const args = ['--no-warnings', join(root, 'scripts/aws-real-account.ts'), '--pool', 'gpu', ...flags]
  const env = { PATH: process.env['PATH'], ...cloud.env }
  const said = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (_, out, problems) => resolve(out + problems))
  })
  const lines = said.split('\n').map((line) => line.replace(/ \([\d.]+ s\)/, ''))
  expect(lines).toEqual([
    expect.stringMatching(/^cluster trial-[0-9a-f-]+; at most 0\.67 dollars$/),
    'ok  a check of the pool finds nothing wrong',
    'NOT AS EXPECTED  RunInstances gives two VMs, the same two for the same token: 1 VMs. ',
    'ok  a fleet of on-demand VMs gives one',
    'ok  a fleet of spot VMs gives one, or says why not',
    'ok  a listing shows all of them, running',
    'ok  VMs have their user data, byte for byte',
    'NOT AS EXPECTED  VMs, disks and network interfaces carry our tags: of 3 VMs only 1 of volume, 0 of network-interface',
    'skipped  a VM with `join: required` gets its certificate by aws-sts: the pool is not one for it',
    'ok  all are ended, and one that never was does not stop that',
    'cleared up: ended no VM, removed 2 launch templates',
    '2 not as expected',
    '',
  ])
  const { Reservations = [] } = await cloud.ec2.send(new DescribeInstancesCommand({}))
  const states = Reservations.flatMap(({ Instances = [] }) => Instances).map(({ State }) => State?.Name)
  expect(states).toEqual(['terminated', 'terminated', 'terminated'])
  expect((await cloud.ec2.send(new DescribeLaunchTemplatesCommand({}))).LaunchTemplates).toEqual([])
  await cloud.dispose()
  rmSync(folder, { recursive: true })
})
