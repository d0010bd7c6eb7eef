// Tags that EC2 would refuse are rejected before the call.
import { describe, expect, it } from 'vitest'
import { poolTags, tagProblems } from '../../../../src/providers/aws/machine.ts'
import { awsConfig, master, owner } from '../../../support/cloud-pools.ts'

function messages(custom_tags: { key: string; value: string }[], pool = 'gpu'): string[] {
  const config = awsConfig({ custom_tags })
  const tags = poolTags({ config, owner: { ...owner, pool }, master, tagValue: 'i-1' })
  return tagProblems(tags).map(({ message }) => message)
}

describe('tags', () => {
  it("are those of Determined's provisioner, ours and the user's", () => {
    const tags = poolTags({
      config: awsConfig({ custom_tags: [{ key: 'team', value: 'research' }] }),
      owner,
      master: { scheme: 'https', host: '::1', port: 8443 },
      tagValue: 'i-1',
    })
    expect(Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]))).toEqual({
      Name: 'determined-ai-agent',
      managed_by: 'i-1',
      'determined-resource-pool': 'gpu',
      'determined-master-address': 'https://[::1]:8443',
      'agent-provisioner:cluster': 'prod',
      'agent-provisioner:pool': 'gpu',
      'agent-provisioner:writer': 'writer-1',
      team: 'research',
    })
  })

  it('may contain any character, and have values of 256', () => {
    expect(messages([{ key: 'größe $()`"', value: '§'.repeat(256) }])).toEqual([])
  })

  it.each([
    ['a key of 129 characters', [{ key: 'k'.repeat(129), value: '' }], 'has 129 characters of at most 128'],
    ['a value of 257 characters', [{ key: 'k', value: 'v'.repeat(257) }], 'the value of "k" has 257'],
    ['a key of Amazon', [{ key: 'AWS:x', value: '' }], 'starts with aws:'],
    ['an empty key', [{ key: '', value: 'x' }], 'without a key'],
    [
      'a reserved key',
      [{ key: 'agent-provisioner:pool', value: 'x' }],
      'duplicate key "agent-provisioner:pool"',
    ],
  ])('refuse %s', (_, tags, expected) => {
    expect(messages(tags)).toEqual([expect.stringContaining(expected)])
  })

  it('refuse a pool whose name is not a valid tag value', () => {
    expect(messages([], 'p'.repeat(257))).toHaveLength(2)
  })

  it('refuse the 51st, and accept the 50th', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ key: `t${index}`, value: '' }))
    expect(messages(many(43))).toEqual([])
    expect(messages(many(44))).toEqual([expect.stringContaining('51 tags')])
  })
})
