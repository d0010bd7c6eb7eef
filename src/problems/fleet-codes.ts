// Codes of the reasons that block a pool, and of failures of the fleet loop.
import type { CodeInfo } from './code-info.ts'

export const fleetCodes = {
  NEVER_FITS: {
    severity: 'warning',
    exit: 1,
    meaning: 'A job needs a number of slots that no offering of the pool can provide.',
    remedy:
      'Give the job fewer slots, or add an instance type with enough slots, or with a divisor of its slots.',
  },
  EXCEEDS_MAX: {
    severity: 'warning',
    exit: 1,
    meaning: 'A job needs more instances at once than max_instances allows.',
    remedy: 'Raise max_instances, or give the job fewer slots.',
  },
  AUX_NOT_ALLOWED: {
    severity: 'warning',
    exit: 1,
    meaning: 'An auxiliary job waits in a pool whose agents accept none.',
    remedy: 'Raise max_aux_containers_per_agent, or submit the job to another pool.',
  },
  JOB_AT_MAX_SLOTS: {
    severity: 'warning',
    exit: 1,
    meaning: 'An allocation waits because its job may not use more slots.',
    remedy: "Raise the job's max_slots, or wait until its other allocations end.",
  },
  WORK_UNPLACEABLE: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The scheduler did not place an allocation on several free agents that fit, so no instance is launched for it for a while.',
    remedy: "Check why the scheduler does not place it: the master's log, blocked nodes, limits of the job.",
  },
  UNPLACED_ON_FREE_AGENT: {
    severity: 'warning',
    exit: 1,
    meaning: 'The scheduler did not place an allocation on a free agent that fits; the agent is replaced.',
    remedy: "Check the agent's devices: `nvidia-smi` on the instance, and the agent's log.",
  },
  SHORT_OF_SLOTS: {
    severity: 'error',
    exit: 1,
    meaning: 'An agent joined with fewer slots than its instance type has, and is replaced.',
    remedy: 'Correct the slots configured for the type, or check the GPU driver of the machine image.',
  },
  NEVER_JOINED: {
    severity: 'error',
    exit: 1,
    meaning: 'The agent of an instance did not connect within the boot timeout.',
    remedy:
      'Check the last stage of its startup script; `provision check` tests the connection from this machine.',
  },
  DID_NOT_LAST: {
    severity: 'error',
    exit: 1,
    meaning: 'An instance stopped by itself within 2 minutes after its agent joined.',
    remedy: "Check the cloud's reason (`provision explain`) and the serial console of the instance.",
  },
  ROLLOUT_STOPPED: {
    severity: 'error',
    exit: 1,
    meaning:
      'One of the first instances of a new configuration failed, so the instances of the old one stay.',
    remedy:
      'Look up why it failed (`provision rollout status POOL`), and correct the configuration; or try it again: `provision rollout restart POOL`.',
  },
  ROLLOUT_PAUSED: {
    severity: 'warning',
    exit: 1,
    meaning: 'A person paused the rollout: no more outdated instances are taken out of service.',
    remedy: 'Resume it with `provision rollout restart POOL`.',
  },
  MAX_REACHED: {
    severity: 'warning',
    exit: 1,
    meaning: 'More instances are needed than max_instances allows.',
    remedy: 'Raise max_instances, or wait until other jobs finish.',
  },
  NO_OFFERING: {
    severity: 'error',
    exit: 1,
    meaning: 'Instances are needed, but the pool has no instance type.',
    remedy: 'Set an instance type in the provider block of the pool.',
  },
  OFFERINGS_OUT_OF_CAPACITY: {
    severity: 'warning',
    exit: 5,
    meaning: 'The cloud recently had no capacity in any suitable offering.',
    remedy: 'Wait: they are tried again. Add instance types or zones, or allow on-demand instances.',
  },
  OFFERINGS_OVER_QUOTA: {
    severity: 'error',
    exit: 5,
    meaning: "The account's quota is used up for every suitable offering.",
    remedy: 'Request a higher quota from the cloud, or lower max_instances.',
  },
  OFFERINGS_THROTTLED: {
    severity: 'warning',
    exit: 5,
    meaning: 'The cloud throttles API calls, so the next launch is delayed.',
    remedy: 'Wait. If it persists, check other programs that use the same account.',
  },
  OFFERINGS_MISCONFIGURED: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud rejected the launch request as invalid.',
    remedy: "Correct the pool's provider block; `provision --dry-run` shows the request.",
  },
  OFFERINGS_NOT_AUTHORIZED: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud rejected the credentials, or they lack a permission.',
    remedy: 'Check the credentials and their permissions: `provision check`.',
  },
  OFFERINGS_FAILING: {
    severity: 'warning',
    exit: 5,
    meaning: 'The cloud had an internal error, so the next launch is delayed.',
    remedy: 'Wait: the call is repeated.',
  },
  BREAKER_OPEN: {
    severity: 'error',
    exit: 1,
    meaning: 'Several instances in a row did not become usable agents, so nothing is launched for a while.',
    remedy:
      'Check the last stages of the instances with `provision explain`; after the delay one instance is launched as a probe.',
  },
  BREAKER_PROBING: {
    severity: 'warning',
    exit: 1,
    meaning: 'After instances that never joined, one instance at a time is launched until one joins.',
    remedy: 'Wait for the probe, or check why the others failed.',
  },
  PROBE_FIRST: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The master cannot be checked from this machine, so one instance must join before others are launched.',
    remedy:
      'Wait for the first instance, or set `preflight_address` to an address of the master that this machine can reach.',
  },
  LAUNCH_RATE_SPENT: {
    severity: 'warning',
    exit: 1,
    meaning:
      'Too many launches failed: instances never joined, joined with too few slots, or stopped soon after joining.',
    remedy:
      'Check why: `provision explain` and the log name the instances and their last stage. Or raise launch_rate.',
  },
  LISTING_MISSING: {
    severity: 'warning',
    exit: 5,
    meaning:
      "There is no complete listing of the pool's instances yet, or none for too long, so nothing is launched.",
    remedy:
      'After a start or a take-over, wait for the first listing. Otherwise correct the problem of the listing; it is repeated.',
  },
  LISTING_PARTIAL: {
    severity: 'warning',
    exit: 5,
    meaning: 'The newest listing of instances is incomplete, so it causes no terminations.',
    remedy: 'Correct the problem of the listing; it is repeated.',
  },
  DEMAND_MISSING: {
    severity: 'warning',
    exit: 1,
    meaning: 'There is no current demand from the master, so nothing is launched or terminated.',
    remedy: 'Check why the master cannot be reached; polling continues.',
  },
  PAUSED: {
    severity: 'warning',
    exit: 1,
    meaning: 'The pool is paused: nothing is launched or terminated.',
    remedy: 'Resume it: `provision resume`.',
  },
  CLEARING: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The provisioner was ordered to terminate every instance of the pool before it stops, and launches none.',
    remedy: 'Wait. A second signal stops it at once and leaves the remaining instances running.',
  },
  FOREIGN_WRITER: {
    severity: 'error',
    exit: 1,
    meaning: 'Another provisioner launched instances of this cluster and pool, so this one changes nothing.',
    remedy: 'Stop the other provisioner, or take over its instances: `provision adopt`.',
  },
  ACCOUNT_CHANGED: {
    severity: 'error',
    exit: 5,
    meaning:
      'The credentials and the instances of this pool belong to different accounts, so nothing is launched or terminated.',
    remedy:
      'Configure credentials of the earlier account. To leave that account, terminate its instances there, then start with an empty state_dir.',
  },
  POOL_GONE: {
    severity: 'warning',
    exit: 1,
    meaning:
      'Instances of this cluster belong to no configured pool: their pool was removed, renamed or moved.',
    remedy: 'Put the pool back into the configuration, or terminate them: `provision terminate ID`.',
  },
  ORPHAN_UNKNOWN: {
    severity: 'warning',
    exit: 1,
    meaning: 'An instance outside the configured pools is terminated only when the master reports it idle.',
    remedy: 'Wait, or terminate it even if it is busy: `provision terminate ID --force`.',
  },
  ORPHANS_UNSEEN: {
    severity: 'warning',
    exit: 5,
    meaning:
      'A location where instances of this cluster were launched cannot be listed: instances may remain there.',
    remedy: 'Use credentials that may list instances there.',
  },
  JOURNAL_MISSING: {
    severity: 'warning',
    exit: 1,
    meaning: 'There is no journal of earlier launches, so the pool waits for complete listings.',
    remedy:
      'Wait: a first start takes 10 seconds, one after a lost journal a minute. Keep `state_dir` on a persistent disk.',
  },
  JOURNAL_FAILING: {
    severity: 'error',
    exit: 1,
    meaning:
      'The journal cannot be written, so nothing is launched; if it is in a database, nothing is terminated either.',
    remedy:
      'Free space on the disk of state_dir, or let the process write there; a database must be reachable.',
  },
  LAUNCH_ERROR: {
    severity: 'error',
    exit: 5,
    meaning: 'More launches failed in a row than launch_error_retries allows.',
    remedy: 'Correct the last failure; launches resume after launch_error_timeout.',
  },
  LAUNCH_NOT_READY: {
    severity: 'error',
    exit: 4,
    meaning: 'A new instance could not join, so none is launched.',
    remedy: 'Correct the problem reported with it: the preflight of the master, or the user data.',
  },
  LAUNCH_UNSETTLED: {
    severity: 'warning',
    exit: 5,
    meaning: 'The outcome of a launch is unknown; until then its instances are counted as launched.',
    remedy: 'Wait: the call is repeated, or listings show the outcome.',
  },
  CALL_TIMED_OUT: {
    severity: 'warning',
    exit: 5,
    meaning: 'A call timed out, so its outcome is unknown.',
    remedy: 'Wait: the call is repeated.',
  },
  SNAPSHOT_INVALID: {
    severity: 'error',
    exit: 2,
    meaning: 'The file given to `provision explain` is not a valid snapshot.',
    remedy: 'Take a new one with `provision explain --save FILE`.',
  },
  SNAPSHOT_MISSING: {
    severity: 'error',
    exit: 1,
    meaning: 'The pool has not made a decision yet.',
    remedy: 'Try again in a few seconds; `provision status` shows what blocks the pool.',
  },
  LOCK_HELD: {
    severity: 'error',
    exit: 1,
    meaning:
      'Another process uses the same state, and one of the two needs it alone; or it did less than a minute ago (15 seconds in a database) on another machine.',
    remedy:
      'Stop it, or set another state_dir (another schema) and cluster_id for this provisioner. If the other has certainly stopped, wait a minute.',
  },
  STATE_DIR_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The state_dir cannot be created or written.',
    remedy: 'Set state_dir to a folder that this user can create and write, on a disk with free space.',
  },
  STATE_DIR_UNSAFE: {
    severity: 'error',
    exit: 1,
    meaning:
      '`state_dir` or a file in it belongs to another user, can be written by others, or is a link or a device: another user could have placed it there.',
    remedy: 'Set state_dir to a folder that belongs to the user of the provisioner, with mode 0700.',
  },
  STATE_FOREIGN: {
    severity: 'error',
    exit: 1,
    meaning: 'A journal was written for another cluster, for another pool, or by another provisioner.',
    remedy: 'Restore the journal of this provisioner, or move the other one away.',
  },
  IDENTITY_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning:
      'A file in state_dir with an id of this provisioner is empty, damaged or unreadable. It is never replaced automatically.',
    remedy: 'Restore the file from a backup.',
  },
  CLUSTER_ID_LOST: {
    severity: 'error',
    exit: 1,
    meaning:
      'The folder in `state_dir` has been used before, but its file `cluster-id` is missing: with a new id the earlier instances would no longer be managed.',
    remedy: 'Restore the file `cluster-id` in state_dir, or set `cluster_id` in the configuration.',
  },
} as const satisfies Record<string, CodeInfo>

export type FleetCode = keyof typeof fleetCodes

// Codes of commands to a running provisioner.

export const controlCodes = {
  POOL_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'The provisioner runs no pool with that name.',
    remedy: '`provision status` lists the pools; only those with a `provider` are run.',
  },
  POOL_NOT_RUNNING: {
    severity: 'error',
    exit: 1,
    meaning: 'The pool could not be started yet. The start is retried; other pools run.',
    remedy: 'Correct the problem in the message; the pool starts at the next retry.',
  },
  POOL_START_FAILED: {
    severity: 'error',
    exit: 1,
    meaning: 'Starting the pool failed unexpectedly. The start is retried within five minutes.',
    remedy: 'If it persists, report it with the message and the log line.',
  },
  CONTROL_SOCKET_UNUSABLE: {
    severity: 'warning',
    exit: 1,
    meaning: 'The control socket in state_dir cannot be created, so the local CLI cannot connect.',
    remedy: 'Choose a shorter state_dir on a local file system, or configure `listen` and use -m.',
  },
  INSTANCE_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'The command names instances that this provisioner does not manage, so nothing was done.',
    remedy: '`provision instances` lists them.',
  },
  INSTANCE_BUSY: {
    severity: 'error',
    exit: 1,
    meaning: 'One of the instances to terminate is busy, so none of them was changed.',
    remedy:
      'Drain it first (`provision drain ID`), or terminate it and lose its jobs: `provision terminate ID --force`.',
  },
  ORDER_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'A request to the provisioner is invalid.',
    remedy: 'Correct the field that the message names: docs/operate/control.md.',
  },
  ORDER_UNANSWERED: {
    severity: 'error',
    exit: 1,
    meaning:
      'The provisioner that leads the pool did not answer the order in time. The message says whether it may still be carried out.',
    remedy:
      'See who leads the pool, and what was done: `provision status`, `provision logs`. Then repeat the order if it is still needed.',
  },
  ORDER_UNCERTAIN: {
    severity: 'error',
    exit: 1,
    meaning:
      'The state could not be written while an order was carried out, so it is not known whether the order was written down. It may still be carried out, here or by the next leader of the pool.',
    remedy:
      'See what was done once the state can be written: `provision status` shows pauses, `provision instances` drains and launches. Then repeat the order if it is still needed.',
  },
  PUSH_MISSING: {
    severity: 'warning',
    exit: 1,
    meaning: '`demand.type` is push, and no demand of the pool was pushed since the start.',
    remedy: 'Push the demand of the pool: docs/push.md.',
  },
  PUSH_STALE: {
    severity: 'warning',
    exit: 1,
    meaning: 'The newest push of the pool is too old, so nothing is launched or terminated.',
    remedy: 'Check that the master still pushes, at least every 5 s even without changes.',
  },
  PUSH_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'Pushed demand is invalid; the previous push stays in effect.',
    remedy: 'Correct the field that the message names: docs/push.md.',
  },
} as const satisfies Record<string, CodeInfo>
