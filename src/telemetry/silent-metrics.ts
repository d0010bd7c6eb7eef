// The Metrics port for a process that nobody asks for numbers.
import type { Metrics } from '../model/ports.ts'

export const silentMetrics: Metrics = { count() {}, gauge() {}, observe() {} }
