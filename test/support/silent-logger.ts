// A logger for tests that do not look at what is said.
import type { Logger } from '../../src/platform/ports.ts'

const nothing = () => {}

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
