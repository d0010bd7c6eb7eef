// The least policy: every call the provider makes is in it, and what changes anything is tied to our tag.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { leastPolicy } from '../../../../src/providers/aws/iam-policy.ts'
import { awsConfig } from '../../../support/cloud-pools.ts'
import { root } from '../../../support/sources.ts'

const policy = leastPolicy('prod', [awsConfig()])
const actions = policy.Statement.flatMap((statement) => statement.Action)

describe('the least policy', () => {
  it('allows every command the client has, and CreateTags, which launches need', () => {
    const client = readFileSync(join(root, 'src/providers/aws/client.ts'), 'utf8')
    const commands = [...client.matchAll(/: (\w+)Command,/g)].map(([, name]) => `ec2:${name}`)
    expect(commands.length).toBeGreaterThan(10)
    expect([...new Set(actions)].sort()).toEqual([...commands, 'ec2:CreateTags'].sort())
  })

  it('lets nothing be made or ended without the tag of the cluster', () => {
    const changing = policy.Statement.filter(({ Action }) =>
      Action.some((one) => /Terminate|Delete|CreateTags/.test(one)),
    )
    expect(changing).toHaveLength(2)
    for (const { Condition } of changing)
      expect(JSON.stringify(Condition)).toMatch(
        /aws:(Request|Resource)Tag\/agent-provisioner:cluster":"prod"/,
      )
  })

  it('adds only what a pool uses', () => {
    const sids = (more: Parameters<typeof awsConfig>[0]) =>
      leastPolicy('prod', [awsConfig(more)])
        .Statement.map(({ Sid }) => Sid)
        .slice(policy.Statement.length)
    expect(sids({})).toEqual([])
    expect(sids({ image: { ssm: '/agent/image' } })).toEqual(['ReadImageParameter'])
    expect(sids({ iam_instance_profile_arn: 'arn' })).toEqual(['GiveVmsTheirRole'])
    expect(sids({ spot: { enabled: true, fallback: 'none' } })).toEqual(['FirstSpotLaunchOfAnAccount'])
  })

  it('fits into a managed policy', () => {
    expect(JSON.stringify(policy).length).toBeLessThan(6144)
  })
})
