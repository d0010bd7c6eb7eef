import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sameDevices } from '../../../../src/standalone/protocol/container.ts'
import {
  type ContainerReattachAck,
  decodeAgentMessage,
  decodeMasterMessage,
  encodeAgentMessage,
  encodeMasterMessage,
  mustRestart,
  pastReconnectPeriod,
} from '../../../../src/standalone/protocol/messages.ts'

const gpu = { id: 0, brand: 'Tesla T4', uuid: 'GPU-1', type: 'cuda' } as const

describe('a message of an agent', () => {
  it('is decoded as a Go agent writes it, with null lists and unknown members', () => {
    const frame = JSON.stringify({
      AgentStarted: {
        Version: '0.38.1',
        Devices: [gpu],
        ContainersReattached: null,
        ResourcePoolName: 'gpu',
        FromTheFuture: { deep: [1] },
      },
      ContainerStateChanged: null,
      ContainerLog: null,
      ContainerStatsRecord: null,
      NewMember: null,
    })
    expect(decodeMasterMessage(frame)).toEqual({
      ok: true,
      message: {
        AgentStarted: {
          Version: '0.38.1',
          Devices: [gpu],
          ContainersReattached: [],
          ResourcePoolName: 'gpu',
        },
        ContainerStateChanged: null,
        ContainerLog: null,
        ContainerStatsRecord: null,
      },
    })
  })

  it('may omit the pool, like agents before 0.27', () => {
    const decoded = decodeMasterMessage('{"AgentStarted":{"Version":"0.20.0","Devices":null}}')
    expect(decoded.ok && decoded.message.AgentStarted?.ResourcePoolName).toBe('')
  })

  it('may contain unknown members beside known ones', () => {
    const decoded = decodeMasterMessage('{"ContainerLog":{"ContainerID":"c"},"Sparkle":{"a":1}}')
    expect(decoded.ok && decoded.message.ContainerLog?.ContainerID).toBe('c')
  })

  it.each([
    ['{}', 'no member is set'],
    ['{"AgentStarted":null}', 'no member is set'],
    ['{"Sparkle":{}}', 'no known member: Sparkle'],
    ['{"__proto__":{"a":1}}', 'no known member: __proto__'],
    ['{"AgentStarted":{},"ContainerLog":{}}', 'several members at once: AgentStarted, ContainerLog'],
    ['null', 'expected an object, got null'],
    ['[]', 'expected an object, got a list'],
    ['"AgentStarted"', 'expected an object, got a string'],
    ['{"AgentStarted":{"Devices":{}}}', 'AgentStarted.Devices: expected a list'],
    ['{"AgentStarted":{"Devices":[{"id":1.5}]}}', 'AgentStarted.Devices[0].id: expected an integer'],
    [
      '{"AgentStarted":{"Devices":[{"type":"tpu"}]}}',
      'AgentStarted.Devices[0].type: expected one of "cpu", "cuda", "rocm", ""',
    ],
    ['{"AgentStarted":7}', 'AgentStarted: expected an object'],
    [
      `{"AgentStarted":{"Version":"${'9'.repeat(300)}"}}`,
      'AgentStarted.Version: expected at most 256 characters, got 300',
    ],
    [
      `{"AgentStarted":{"Devices":[${Array(1025).fill('{}').join()}]}}`,
      'AgentStarted.Devices: expected at most 1024 items, got 1025',
    ],
    [
      '{"ContainerStateChanged":{"Container":{"state":"DANCING"}}}',
      'ContainerStateChanged.Container.state: expected one of',
    ],
  ])('is rejected with the reason when it is %s', (frame, reason) => {
    const decoded = decodeMasterMessage(frame)
    expect(decoded.ok ? 'understood' : decoded.reason).toContain(reason)
  })

  it('is rejected if it is not JSON, with a short quote', () => {
    const decoded = decodeMasterMessage(`{"AgentStarted":${'x'.repeat(10_000)}`)
    expect(decoded).toMatchObject({ ok: false, reason: expect.stringContaining('not JSON') })
    expect(decoded.ok ? 0 : decoded.reason.length).toBeLessThan(150)
  })

  it('never throws, for any text or JSON', () => {
    fc.assert(fc.property(fc.string(), (frame) => typeof decodeMasterMessage(frame).ok === 'boolean'))
    fc.assert(
      fc.property(
        fc.json(),
        fc.constantFrom('AgentStarted', 'ContainerLog', 'ContainerStateChanged'),
        (json, name) => {
          return typeof decodeMasterMessage(`{"${name}":${json}}`).ok === 'boolean'
        },
      ),
    )
  })

  it('does not overflow the stack with deep nesting', () => {
    const deep = `{"ContainerStatsRecord":{"Stats":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`
    expect(typeof decodeMasterMessage(deep).ok).toBe('boolean')
  })
})

describe('a message of a master', () => {
  it('contains every member, the unused ones null, because older decoders expect them', () => {
    expect(JSON.parse(encodeAgentMessage({ AgentShutdown: { ErrMsg: 'bye' } }))).toEqual({
      MasterSetAgentOptions: null,
      StartContainer: null,
      SignalContainer: null,
      AgentShutdown: { ErrMsg: 'bye' },
    })
  })

  it('is decoded by our agent as a Go master writes it', () => {
    const frame = JSON.stringify({
      MasterSetAgentOptions: {
        MasterInfo: {
          version: '0.38.1',
          master_id: 'm',
          cluster_id: 'c',
          cluster_name: 'n',
          telemetry: { enabled: true, segment_key: 'k', otel_enabled: false, otel_endpoint: '' },
        },
        LoggingOptions: { type: 'default' },
        ContainersToReattach: null,
      },
    })
    const decoded = decodeAgentMessage(frame)
    expect(decoded.ok && decoded.message.MasterSetAgentOptions).toMatchObject({
      MasterInfo: { cluster_id: 'c', telemetry: { segment_key: 'k' } },
      LoggingOptions: { type: 'default' },
      ContainersToReattach: [],
    })
  })

  it('contains a start order with a docker spec, whose unknown parts are ignored', () => {
    const decoded = decodeAgentMessage(
      JSON.stringify({
        StartContainer: {
          Container: { id: 'c1', state: 'ASSIGNED', devices: [gpu], description: 'd' },
          Spec: {
            PullSpec: { ForcePull: false },
            RunSpec: { ContainerConfig: { Cmd: ['true'], Hostname: '' }, HostConfig: {}, Archives: null },
          },
        },
      }),
    )
    expect(decoded.ok && decoded.message.StartContainer?.Spec.RunSpec).toMatchObject({
      ContainerConfig: { Cmd: ['true'], Env: [] },
      Archives: [],
    })
  })

  it('shuts down an agent with the exact string that agents search for', () => {
    expect(mustRestart(`502: ${pastReconnectPeriod}`)).toBe(true)
    expect(mustRestart('websocket already connected')).toBe(false)
  })
})

it('messages are unchanged after encoding and decoding in both directions', () => {
  const device = fc.record({
    id: fc.nat(),
    brand: fc.string({ maxLength: 40 }),
    uuid: fc.string({ maxLength: 40 }),
    type: fc.constantFrom('cpu' as const, 'cuda' as const, 'rocm' as const, '' as const),
  })
  const started = fc.record({
    Version: fc.string({ maxLength: 20 }),
    Devices: fc.array(device, { maxLength: 8 }),
    ContainersReattached: fc.constant<ContainerReattachAck[]>([]),
    ResourcePoolName: fc.string({ maxLength: 20 }),
  })
  fc.assert(
    fc.property(started, (AgentStarted) => {
      const decoded = decodeMasterMessage(encodeMasterMessage({ AgentStarted }))
      expect(decoded.ok && decoded.message.AgentStarted).toEqual(AgentStarted)
    }),
  )
})

describe('devices', () => {
  it('are equal in any order', () => {
    expect(sameDevices([gpu, { ...gpu, id: 1 }], [{ ...gpu, id: 1 }, gpu])).toBe(true)
  })

  it.each([
    ['count', [gpu, { ...gpu, id: 1 }]],
    ['id', [{ ...gpu, id: 1 }]],
    ['brand', [{ ...gpu, brand: 'L4' }]],
    ['uuid', [{ ...gpu, uuid: 'GPU-2' }]],
    ['type', [{ ...gpu, type: 'rocm' as const }]],
  ])('differ when their %s differs', (_, other) => {
    expect(sameDevices([gpu], other)).toBe(false)
  })
})
