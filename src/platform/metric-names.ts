// Every metric there is: its name, what it tells, and its labels. docs/operations.md shows this table.

export interface MetricInfo {
  kind: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
  /** Upper bounds in seconds. */
  buckets?: readonly number[]
}

const quick = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const calls = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const boots = [5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800]

export const metricTable = {
  decisions: {
    kind: 'counter',
    help: 'What was decided: VMs by move and reason.',
    labels: ['pool', 'move', 'reason'],
  },
  launched_vms: {
    kind: 'counter',
    help: 'VMs the cloud gave, by offering.',
    labels: ['pool', 'offering'],
  },
  launch_failures: {
    kind: 'counter',
    help: 'Refusals of launch calls by class (capacity, quota, throttle, config, auth, transient) and offering.',
    labels: ['pool', 'class', 'offering'],
  },
  useless_vms: {
    kind: 'counter',
    help: 'VMs that never became usable agents.',
    labels: ['pool'],
  },
  launch_reaction_seconds: {
    kind: 'histogram',
    help: "From the master's word that work waits to the launch call.",
    labels: ['pool'],
    buckets: quick,
  },
  join_seconds: {
    kind: 'histogram',
    help: 'From the launch of a VM until it runs (stage running) and until its agent has joined (stage joined).',
    labels: ['pool', 'stage'],
    buckets: boots,
  },
  turn_seconds: {
    kind: 'histogram',
    help: 'How long one turn of the loop takes: from what is known to calls under way.',
    labels: ['pool'],
    buckets: quick,
  },
  call_seconds: {
    kind: 'histogram',
    help: 'Calls to the cloud and to the master, with their outcome (done, partial, failed).',
    labels: ['pool', 'call', 'outcome'],
    buckets: calls,
  },
  instances: {
    kind: 'gauge',
    help: 'VMs by state; joined are running ones whose agent is connected.',
    labels: ['pool', 'state'],
  },
  pending_work: { kind: 'gauge', help: 'Pieces of work that wait.', labels: ['pool'] },
  launches_in_flight: {
    kind: 'gauge',
    help: 'VMs asked for and not known yet.',
    labels: ['pool'],
  },
  holds: {
    kind: 'gauge',
    help: '1 for each reason why something that is wanted does not happen now.',
    labels: ['pool', 'reason'],
  },
  certificate_expiry_timestamp_seconds: {
    kind: 'gauge',
    help: "When the master's certificate ends, in seconds since the epoch; the first of its chain to end.",
    labels: [],
  },
  info: {
    kind: 'gauge',
    help: 'Always 1; the version is a label.',
    labels: ['version'],
  },
} as const satisfies Record<string, MetricInfo>

export type MetricName = keyof typeof metricTable
