import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { processStart } from '../../src/platform/processes.ts'
import { instanceIds } from '../../src/providers/local/request.ts'
import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import type { ProviderHarness } from '../../src/testing/provider-harness.ts'
import { localPool } from '../support/local-pool.ts'

const script = 'echo -n "$PROVISION_INSTANCE_ID" > "$PROVISION_ROOT/agent-id"\nexec sleep 300\n'

describeProviderContract('local', {
  can: [
    'max_count',
    'token_idempotency',
    'partial_launch',
    'foreign_vms',
    'broken_listing',
    'self_ending',
    'console',
  ],
  open: async (): Promise<ProviderHarness> => {
    const pool = localPool()
    const foreignProcesses: ChildProcess[] = []

    /** A foreign VM, as in a copied state folder. */
    function foreignInstance(id: string): string {
      const child = spawn('sleep', ['300'], { stdio: 'ignore', detached: true })
      foreignProcesses.push(child)
      const process = { pid: child.pid!, start: processStart(child.pid!) }
      mkdirSync(join(pool.dir, id))
      const record = { id, tags: {}, instanceType: 'local', zone: '', launchedAt: 0, process }
      writeFileSync(pool.file(id, 'vm.json'), JSON.stringify(record))
      return id
    }

    return {
      provider: await pool.open(),
      owner: pool.owner,
      open: (owner) => pool.open({ owner }),
      order: (count, owner) => pool.order(script, count, owner),
      knownType: { instanceType: 'local', slots: 4 },
      unknownId: 'local-00000000-1',
      async agentId(id) {
        const file = pool.file(id, 'agent-id')
        await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8')).toBeTruthy()
        return readFileSync(file, 'utf8')
      },
      partialLaunch: (order, count) => foreignInstance(instanceIds(order.intent)[count]!),
      foreignInstance: async () => foreignInstance('local-ffffffff-1'),
      breakListing: () => {
        mkdirSync(join(pool.dir, 'local-ffffffff-1'))
        writeFileSync(pool.file('local-ffffffff-1', 'vm.json'), '{')
      },
      endInstance: async (id) => {
        process.kill(-pool.record(id).process.pid, 'SIGKILL')
      },
      printOnConsole: async (id, text) => appendFileSync(pool.file(id, 'console.log'), text),
      async dispose() {
        for (const child of foreignProcesses) child.kill('SIGKILL')
        await pool.dispose()
      },
    }
  },
})
