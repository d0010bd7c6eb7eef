// The store of a folder, for tests.
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/ports.ts'
import { folderStore } from '../../src/state/folder/folder-store.ts'
import type { StateStore } from '../../src/state/store.ts'
import { silentLogger } from './silent-logger.ts'

export function storeIn(stateDir: string, clock: Clock = systemClock): StateStore {
  return folderStore({ stateDir, clock, logger: silentLogger, env: {} })
}
