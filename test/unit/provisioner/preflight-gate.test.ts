// Nothing is launched before the preflight has dialled the master, nor after an unusable answer.
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { preflightGate } from '../../../src/provisioner/preflight-gate.ts'
import type { ReadyPlan } from '../../../src/provisioner/prepare.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { embed, Masters } from '../../support/masters.ts'
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

function gate(port: number, preflight: string, preflight_address?: string) {
  const logger = capturingLogger()
  const plan = {
    pool: { pool_name: 'p', provider: { preflight, preflight_address } },
    setup: { master: { scheme: 'https', host: '127.0.0.1', port }, trust },
    userData: userDataOf('#!/bin/bash\n'),
    hasClientCertificate: false,
  } as unknown as ReadyPlan
  const made = preflightGate({ plan: () => plan, clock: systemClock, logger })
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
