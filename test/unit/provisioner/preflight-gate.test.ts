// Nothing is launched before the preflight has dialled the master, nor after an unusable answer.
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { type JoinProbe, preflightGate } from '../../../src/provisioner/preflight-gate.ts'
import type { ReadyPlan } from '../../../src/provisioner/prepare.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { answerInfo, embed, Masters } from '../../support/masters.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const root = authority('Root')
const leaf = server(root)
const trust = embed(masterName, ['leaf', leaf.pem], ['root', root.pem])
const gates: { stop: () => void }[] = []
afterEach(async () => {
  for (const gate of gates.splice(0)) gate.stop()
  await masters.close()
})

function gate(
  port: number,
  preflight: string,
  preflight_address?: string | string[],
  others: readonly number[] = [],
  joins?: JoinProbe,
) {
  const logger = capturingLogger()
  const at = (one: number) => ({ scheme: 'https', host: '127.0.0.1', port: one })
  const plan = {
    pool: { pool_name: 'p', provider: { preflight, preflight_address } },
    setup: { master: at(port), otherMasters: others.map(at), trust },
    userData: userDataOf('#!/bin/bash\n'),
    hasClientCertificate: false,
  } as unknown as ReadyPlan
  if (joins) Object.assign(plan.setup, { join: {} })
  const made = preflightGate({ plan: () => plan, joins, clock: systemClock, logger })
  gates.push(made)
  return { ...made, logger, plan }
}
const serving = (other = leaf) => masters.secure({ cert: other.pem, key: other.key.pem })

describe('the launch gate', () => {
  it('is closed until the preflight has finished', async () => {
    const { launchInputs: material, ask } = gate(await serving(), 'tls')
    expect(material()).toMatchObject({ kind: 'refused', problem: { code: 'PREFLIGHT_PENDING' } })
    await ask()
    expect(material()).toMatchObject({ kind: 'ready', probe: false, userData: { script: '#!/bin/bash\n' } })
  })

  it('is closed for user data that the preflight has not checked yet: a result applies to what was checked', async () => {
    const { launchInputs: material, ask, plan } = gate(await serving(), 'tls')
    await ask()
    plan.userData = userDataOf('renewed')
    expect(material()).toMatchObject({ kind: 'refused', problem: { code: 'PREFLIGHT_PENDING' } })
    const early = ask()
    plan.userData = userDataOf('renewed once more')
    await Promise.all([early, ask()])
    expect(material()).toMatchObject({ kind: 'ready', userData: { script: 'renewed once more' } })
  })

  it("is closed by the code of what the agents' CA lacks, and not by one that blames the master", async () => {
    const silent = new ProvisionError(problem('AGENTS_CA_TOKEN', 'token t has not answered within 5 s'))
    const joins = { probe: () => Promise.reject(silent) }
    const { launchInputs: material, ask, logger } = gate(await serving(), 'tls', undefined, [], joins)
    await ask()
    expect(material()).toMatchObject({ kind: 'refused', problem: silent.problems[0] })
    expect(logger.lines).toMatchObject([expect.stringContaining('AGENTS_CA_TOKEN')])
  })

  it('stays closed for a master that agents cannot join, and logs the reason once', async () => {
    const { launchInputs: material, ask, logger } = gate(await serving(server(authority('Stranger'))), 'tls')
    await ask()
    await ask()
    expect(material()).toMatchObject({
      kind: 'refused',
      problem: { code: expect.stringMatching(/^PREFLIGHT_/) },
    })
    expect(logger.lines).toHaveLength(1)
  })

  it('allows one VM if the master cannot be reached from here', async () => {
    const { launchInputs: material, ask } = gate(await masters.closedPort(), 'tls')
    await ask()
    expect(material()).toMatchObject({ kind: 'ready', probe: true })
  })

  it('blocks every launch if proof is required', async () => {
    const { launchInputs: material, ask } = gate(await masters.closedPort(), 'required')
    await ask()
    expect(material()).toMatchObject({ kind: 'refused' })
  })

  it('dials nothing if the pool has no preflight', async () => {
    const { launchInputs: material, ask } = gate(await masters.closedPort(), 'off')
    await ask()
    expect(material()).toMatchObject({ kind: 'ready', probe: false })
  })

  it('dials preflight_address in place of what agents dial', async () => {
    const { launchInputs: material, ask } = gate(1, 'required', `127.0.0.1:${await serving()}`)
    await ask()
    expect(material()).toMatchObject({ kind: 'ready' })
  })
})

describe('of several masters', () => {
  const down = () => masters.closedPort()
  const wrong = () => serving(server(authority('Stranger')))
  const standby = () => {
    const info = JSON.stringify({ version: '1', cluster_id: 'c', product: 'dynamic-agent-provisioner' })
    const message = '{"message":"this provisioner stands by"}'
    return masters.secure(
      { cert: leaf.pem, key: leaf.key.pem },
      answerInfo(info, 200, { status: 503, body: message }),
    )
  }

  async function asked(mode: string, ...ports: number[]) {
    const { launchInputs, ask, logger } = gate(ports[0]!, mode, undefined, ports.slice(1))
    await ask()
    return { inputs: launchInputs(), lines: logger.lines }
  }

  it.each([
    [
      'is down',
      down,
      'PREFLIGHT_OTHER_MASTER',
      /nothing listens on 127\.0\.0\.1:\d+: connection refused; agents use/,
    ],
    ['stands by', standby, 'PREFLIGHT_STANDBY', /127\.0\.0\.1:\d+ stands by; agents use 127\.0\.0\.1:\d+/],
    [
      'has a wrong certificate',
      wrong,
      'PREFLIGHT_OTHER_MASTER',
      /presents .*would not receive it either; agents use/,
    ],
  ])('one that %s is a warning that says so while another serves', async (_, port, code, text) => {
    for (const mode of ['tls', 'required'])
      for (const ports of [
        [await port(), await serving()],
        [await serving(), await port()],
      ]) {
        const { inputs, lines } = await asked(mode, ...ports)
        expect(inputs).toMatchObject({ kind: 'ready', probe: false })
        expect(lines).toHaveLength(1)
        expect(lines[0]).toMatch(text)
        expect(lines[0]).toContain(code)
      }
  })

  it('all of them down or standing by are what one is: a probe, or no launch where proof is required', async () => {
    for (const ports of [
      [await down(), await down()],
      [await down(), await standby()],
      [await standby(), await standby()],
    ]) {
      const { inputs, lines } = await asked('tls', ...ports)
      expect(inputs).toMatchObject({ kind: 'ready', probe: true })
      expect(lines).toHaveLength(2)
      expect((await asked('required', ...ports)).inputs).toMatchObject({ kind: 'refused' })
    }
  })

  it('one that is down may be right where the other is wrong', async () => {
    const { inputs, lines } = await asked('tls', await wrong(), await down())
    expect(inputs).toMatchObject({ kind: 'ready', probe: true })
    expect(lines.join('\n')).toMatch(/would not receive it/)
  })

  it('no launch if all are wrong, and each is reported', async () => {
    const { inputs, lines } = await asked('tls', await wrong(), await wrong())
    expect(inputs).toMatchObject({ kind: 'refused', problem: { code: 'PREFLIGHT_MISSING_INTERMEDIATE' } })
    expect(lines).toHaveLength(2)
  })

  it('each has its own preflight_address', async () => {
    const addresses = [`127.0.0.1:${await down()}`, `127.0.0.1:${await serving()}`]
    const { launchInputs, ask, logger } = gate(2, 'required', addresses, [3])
    await ask()
    expect(launchInputs()).toMatchObject({ kind: 'ready' })
    expect(logger.lines[0]).toMatch(/\(agents dial 127\.0\.0\.1:2\)/)
  })
})
