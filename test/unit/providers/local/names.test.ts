import { describe, expect, it } from 'vitest'
import type { AgentSetup } from '../../../../src/agent-setup/setup.ts'
import {
  buildRequest,
  instanceIds,
  isInstanceId,
  type LocalConfig,
} from '../../../../src/providers/local/request.ts'

const intent = { id: '7f3b1f0e-6f0c-4c3a-9a55-0d9b1f5a2a11', count: 2, offerings: [] }

describe('names of local VMs', () => {
  it('are the same for the same intent, on every machine', () => {
    expect(instanceIds(intent)).toEqual(['local-c8db7689-1', 'local-c8db7689-2'])
  })

  it('differ for another intent', () => {
    expect(instanceIds({ ...intent, id: `${intent.id.slice(0, -1)}2` })[0]).not.toBe(instanceIds(intent)[0])
  })

  it('are recognised, and no other names are', () => {
    expect(instanceIds({ ...intent, count: 1000 }).every(isInstanceId)).toBe(true)
    expect(
      ['local-C8DB7689-1', 'local-c8db7689-0', 'xlocal-c8db7689-1', 'i-0123'].filter(isInstanceId),
    ).toEqual([])
  })
})

describe('the request of a local launch', () => {
  it('shows the VMs, their tags and their inputs', () => {
    const request = buildRequest({
      config: { type: 'local', slots: 1, join: { proof: 'off' } } as LocalConfig,
      owner: { clusterId: 'c', pool: 'p', writerId: 'w' },
      setup: {} as AgentSetup,
      intent,
    })
    expect(request).toMatchObject({
      call: 'spawn',
      problems: [],
      body: {
        command: ['bash', 'script'],
        instances: ['local-c8db7689-1', 'local-c8db7689-2'],
        tags: { 'agent-provisioner:pool': 'p', 'agent-provisioner:intent': intent.id },
      },
    })
  })
})
