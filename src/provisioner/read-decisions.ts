// The log of decisions of a state folder, whether its provisioner runs or not.
import type { MasterConfig } from '../config/master-config.ts'
import type { JournalRecord } from '../platform/ports.ts'
import { type DecisionQuery, readDecisionLog } from './decision-log.ts'
import { decisionLogFile } from './telemetry.ts'

/** Oldest first. */
export function readDecisions(config: MasterConfig, query: DecisionQuery): JournalRecord[] {
  return readDecisionLog(decisionLogFile(config), query)
}
