// Which of several provisioners leads which pool. Imports platform and the port of the state.
// Start with choice.ts, the rule, and leadership.ts, which keeps the leases.

export { chooseLeases } from './choice.ts'
export { createLeadership, type Leadership, type LeaseTimes, leaseTimes } from './leadership.ts'
