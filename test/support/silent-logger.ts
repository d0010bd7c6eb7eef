// A logger that discards its lines.
import type { Logger } from '../../src/platform/ports.ts'

const nothing = () => {}

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
