// Determined's agent protocol, and the built-in master and agent that use it.
// Imports every room up to http.
// Start with master/master.ts and agent/run-agent.ts.
export { holdPlaceholders } from './agent/placeholder.ts'
export { agentHelp, runAgentProcess } from './agent/process.ts'
export type { Admission, Agent } from './master/agent.ts'
export { openJobStore } from './master/job-store.ts'
export type { JoinProofRules } from './master/join-proof.ts'
export { openStoredLogs } from './master/log-store.ts'
export { createMaster, type Master } from './master/master.ts'
export type { JobAdvice } from './master/rest-work.ts'
