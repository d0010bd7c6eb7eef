// The contract suite of providers with the rack. Its machines run the script of the order, as real ones would.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  describeProviderContract,
  orderOf,
  ownerOf,
  type ProviderHarness,
  userDataOf,
} from 'dynamic-agent-provisioner/testing'
import { expect, it, onTestFinished } from 'vitest'
import { machinesProgram, openRack } from './rack.ts'

const script =
  '#!/bin/bash\necho "$MACHINE" >"$MACHINE.agent"\nuntil [ -e "$MACHINE.end" ]; do sleep 0.1; done\n'
const r2 = { instanceType: 'r2', zone: '', capacityType: 'on_demand' as const, slots: 2 }

describeProviderContract('our rack', {
  can: [
    'max_count',
    'token_idempotency',
    'foreign_vms',
    'broken_listing',
    'self_ending',
    'console',
    'vms_outlive_close',
  ],
  async open(): Promise<ProviderHarness> {
    const folder = mkdtempSync(join(tmpdir(), 'rack-'))
    const file = (name: string) => join(folder, name)
    const owner = ownerOf('default')
    return {
      provider: openRack(folder, owner),
      owner,
      open: async (other) => openRack(folder, other),
      order: (count, other = owner) => orderOf(other, count, [r2], userDataOf(script)),
      knownType: { instanceType: 'r2', slots: 2 },
      unknownId: 'rack-00000000-1',
      async agentId(id) {
        await expect.poll(() => existsSync(file(`${id}.agent`))).toBe(true)
        return readFileSync(file(`${id}.agent`), 'utf8').trim()
      },
      async foreignInstance() {
        writeFileSync(file('somebody.machine'), '1700000000 {}\n')
        return 'somebody'
      },
      breakListing: () => writeFileSync(file('broken.machine'), '\n'),
      endInstance: async (id) => writeFileSync(file(`${id}.end`), ''),
      printOnConsole: async (id, text) => writeFileSync(file(`${id}.console`), text),
      async dispose() {
        const ids = readdirSync(folder).flatMap((name) => /(.*)\.machine$/.exec(name)?.[1] ?? [])
        for (const id of ids) execFileSync(machinesProgram, [folder, 'stop', id], { stdio: 'ignore' })
        rmSync(folder, { recursive: true })
      },
    }
  },
})

// The contract cannot test what no listing shows: the machines themselves.
it('starts a machine once, and stops it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rack-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const owner = ownerOf('default')
  const beats = '#!/bin/bash\necho $$ >>pids\nwhile sleep 0.1 && echo >>beats; do :; done\n'
  const order = orderOf(owner, 1, [r2], userDataOf(beats))
  const provider = openRack(folder, owner)
  await Promise.all([provider.launch(order), provider.launch(order)])
  await expect.poll(() => existsSync(join(folder, 'beats'))).toBe(true)
  const pids = readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n')
  expect(pids).toHaveLength(1)
  await provider.terminate((await provider.list()).instances.map(({ id }) => id))
  const heard = () => readFileSync(join(folder, 'beats'), 'utf8').length
  await wait(300)
  const last = heard()
  await wait(300)
  expect(heard()).toBe(last)
})
