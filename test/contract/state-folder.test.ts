// The state contract on a folder, the default store.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { systemClock } from '../../src/platform/clock.ts'
import { storeIn } from '../support/state-store.ts'
import { describeStateContract } from './state-contract.ts'
import type { StateHarness } from './state-harness.ts'

function bytesIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}

describeStateContract('a folder', {
  can: ['processes', 'tears', 'fills', 'slows'],
  async open(): Promise<StateHarness> {
    const root = mkdtempSync(join(tmpdir(), 'state-contract-'))
    const stateDir = join(root, 'state')
    const small = join(root, 'small')
    const settings = { config: { state_dir: stateDir } }
    return {
      open: async (clock = systemClock) => storeIn(stateDir, clock),
      damage: async (part, text) => writeFileSync(join(stateDir, part), text),
      size: async () => bytesIn(stateDir),
      dispose: async () => rmSync(root, { recursive: true, force: true }),
      settings,
      async tear(pool) {
        const file = join(stateDir, 'fleet', `${pool}.journal`)
        truncateSync(file, statSync(file).size - 5)
      },
      // No file of the process may be larger than 128 KiB.
      small: async () => ({ settings: { config: { state_dir: small } }, before: 'ulimit -f 128' }),
      async slow(ms) {
        mkdirSync(stateDir, { recursive: true, mode: 0o700 })
        const handle = await open(join(stateDir, readdirSync(stateDir)[0]!))
        const prototype = Object.getPrototypeOf(handle)
        await handle.close()
        const flush = prototype.datasync
        const spy = vi.spyOn(prototype, 'datasync').mockImplementation(async function (this: unknown) {
          await new Promise((resolve) => setTimeout(resolve, ms))
          return flush.call(this)
        })
        return async () => spy.mockRestore()
      },
    }
  },
})
