// Repeated messages or reconnects of one agent must not fill the log.
import { expect, it } from 'vitest'
import { createRegistry } from '../../../../src/standalone/master/agents.ts'
import type { AcceptHandlers } from '../../../../src/standalone/protocol/accept.ts'
import type { MasterMessage } from '../../../../src/standalone/protocol/messages.ts'
import { capturingLogger } from '../../../support/capturing-logger.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

function bench(agents: 'known' | 'any') {
  const clock = new FakeClock()
  const logger = capturingLogger()
  const registry = createRegistry({
    clock,
    logger,
    hasPool: () => true,
    takesAny: () => agents === 'any',
    mayJoin: () => (agents === 'any' ? 'no' : 'yes'),
    mayReturn: () => 'no',
    reconnectWait: () => 25_000,
    masterInfo: {
      version: '1',
      master_id: 'm',
      cluster_id: 'c',
      cluster_name: 'n',
      telemetry: { enabled: false, otel_enabled: false, otel_endpoint: '' },
    },
    isOfJob: () => false,
  })
  function dial(id: string): AcceptHandlers {
    const join = { id, version: '1', resourcePool: 'gpu', reconnect: false, hostname: 'h' }
    expect(registry.refuse(join)).toBeUndefined()
    let given: AcceptHandlers | undefined
    registry.attach(join, { address: '10.0.0.1' }, (handlers) => {
      given = handlers
      return { send: () => true, close: async () => {}, terminate: () => {} }
    })
    return given!
  }
  return { clock, logger, dial }
}

const hello = (containers: string[]): MasterMessage => ({
  AgentStarted: {
    Version: '1',
    Devices: [],
    ContainersReattached: containers.map((id) => ({
      Container: { id, state: 'RUNNING', devices: [], description: '' },
      Failure: null,
    })),
    ResourcePoolName: 'gpu',
  },
  ContainerStateChanged: null,
  ContainerLog: null,
  ContainerStatsRecord: null,
})
const gone = { kind: 'lost', message: 'the network broke' } as const
const connection = { send: () => true, close: async () => {}, terminate: () => {} }

it('reconnects of one agent are counted after the first ones', async () => {
  const { clock, logger, dial } = bench('known')
  for (let n = 0; n < 1000; n++) dial('i-1').onEnd(gone)
  expect(logger.lines.length).toBeLessThan(60)
  await clock.advance(60_000)
  dial('i-1')
  expect(logger.lines.at(-1)).toMatch(/^info agent connected {"agent":"i-1"/)
  expect(logger.lines.filter((line) => /agent removed .*"count":980/.test(line))).toHaveLength(1)
})

it('each of many agents that join is logged', () => {
  const { logger, dial } = bench('known')
  for (let n = 0; n < 3000; n++) dial(`i-${n}`)
  expect(logger.lines.length).toBe(3000)
})

it.each(['known', 'any'] as const)('containers of unknown jobs are one short line (%s)', (agents) => {
  const { logger, dial } = bench(agents)
  const containers = Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(256, 'x'))
  for (let n = 0; n < 40; n++) {
    const handlers = dial(`i-${agents === 'any' ? n : 1}`)
    handlers.onMessage(hello(containers), connection)
    handlers.onEnd(gone)
  }
  const lines = logger.lines.filter((line) => line.includes('unknown jobs'))
  expect(lines.length).toBe(20)
  expect(lines[0]).toContain(' and 980 more"')
  expect(lines[0]!.length).toBeLessThan(3000)
})
