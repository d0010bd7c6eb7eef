// A world with virtual time and faults for the fleet loop, the promises checked in it, trials on traces.
// Imports every room but cli.
// Start with run-world.ts; trial.ts runs a given pool on a trace.
export { exampleTrace, type SimulationReport, simulate } from './simulate.ts'
