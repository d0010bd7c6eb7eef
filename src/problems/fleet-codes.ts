// Codes of the fleet loop's decisions and refusals.
import type { CodeInfo } from './code-info.ts'

export const fleetCodes = {
  NEVER_FITS: {
    severity: 'warning',
    exit: 1,
    meaning: 'Work asks for a number of slots that no offering of the pool can ever give it.',
    remedy: 'Give the work fewer slots, or add an instance type whose slots hold or divide its number.',
  },
  EXCEEDS_MAX: {
    severity: 'warning',
    exit: 1,
    meaning: 'Work needs more VMs at once than max_instances allows.',
    remedy: 'Raise max_instances, or give the work fewer slots.',
  },
  AUX_NOT_ALLOWED: {
    severity: 'warning',
    exit: 1,
    meaning: 'Auxiliary work waits in a pool whose agents take none.',
    remedy: 'Raise max_aux_containers_per_agent, or send the work to another pool.',
  },
  JOB_AT_MAX_SLOTS: {
    severity: 'warning',
    exit: 1,
    meaning: 'Work waits because its job may not use more slots.',
    remedy: "Raise the job's max_slots, or wait until its other allocations end.",
  },
  WORK_UNPLACEABLE: {
    severity: 'warning',
    exit: 1,
    meaning:
      'Several free agents were not given work that fits them, so nothing is bought for it for a while.',
    remedy:
      "Look for what keeps the scheduler from placing it: the master's log, blocked nodes, limits of the job.",
  },
  UNPLACED_ON_FREE_AGENT: {
    severity: 'warning',
    exit: 1,
    meaning: 'A free agent was not given work that fits it; the agent is replaced.',
    remedy: "Look at the agent's devices: `nvidia-smi` on the VM, and the agent's log.",
  },
  SHORT_OF_SLOTS: {
    severity: 'error',
    exit: 1,
    meaning: 'An agent joined with fewer slots than its instance type promises, and is replaced.',
    remedy: 'Correct the slots configured for the type, or look at the GPU driver of the machine image.',
  },
  NEVER_JOINED: {
    severity: 'error',
    exit: 1,
    meaning: 'A VM was launched and its agent did not connect within the boot timeout.',
    remedy: 'Read the stage its startup script reached; `provision check` tries the same from here.',
  },
  DID_NOT_LAST: {
    severity: 'error',
    exit: 1,
    meaning: 'An instance ended by itself within 2 minutes of its agent joining.',
    remedy:
      "Read what the cloud gives as its reason, and the instance's own log: `provision explain`, the serial console.",
  },
  MAX_REACHED: {
    severity: 'warning',
    exit: 1,
    meaning: 'More VMs are needed than max_instances allows.',
    remedy: 'Raise max_instances, or wait until other work ends.',
  },
  NO_OFFERING: {
    severity: 'error',
    exit: 1,
    meaning: 'VMs are needed and the pool has no instance type to launch.',
    remedy: 'Name an instance type in the provider block of the pool.',
  },
  OFFERINGS_OUT_OF_CAPACITY: {
    severity: 'warning',
    exit: 5,
    meaning: 'Every offering that could help was out of stock a moment ago.',
    remedy: 'Nothing to do: they are tried again. More instance types, zones or on-demand VMs help.',
  },
  OFFERINGS_OVER_QUOTA: {
    severity: 'error',
    exit: 5,
    meaning: "The account's quota ended what every offering that could help can give.",
    remedy: 'Ask the cloud to raise the quota, or lower max_instances.',
  },
  OFFERINGS_THROTTLED: {
    severity: 'warning',
    exit: 5,
    meaning: 'The cloud asked for fewer calls, so the next launch waits.',
    remedy: 'Nothing to do. If it stays, look for other programs on the same account.',
  },
  OFFERINGS_MISCONFIGURED: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud refused the launch request for what it says.',
    remedy: "Correct the pool's provider block; `provision --dry-run` shows the request.",
  },
  OFFERINGS_NOT_AUTHORIZED: {
    severity: 'error',
    exit: 5,
    meaning: 'The cloud refused the credentials, or what they ask for.',
    remedy: 'Check the credentials and their permissions: `provision check`.',
  },
  OFFERINGS_FAILING: {
    severity: 'warning',
    exit: 5,
    meaning: 'The cloud failed for a reason of its own, so the next launch waits.',
    remedy: 'Nothing to do: the call is repeated.',
  },
  BREAKER_OPEN: {
    severity: 'error',
    exit: 1,
    meaning: 'Several VMs in a row never became usable agents, so nothing is launched for a while.',
    remedy: 'Read why they failed (their last stage); the next VM is a single probe.',
  },
  BREAKER_PROBING: {
    severity: 'warning',
    exit: 1,
    meaning: 'After VMs that never joined, one VM at a time is launched until one joins.',
    remedy: 'Wait for the probe, or read why the others failed.',
  },
  PROBE_FIRST: {
    severity: 'warning',
    exit: 1,
    meaning: 'The master could not be checked from here, so one VM is launched and must join before others.',
    remedy: 'Wait for the first VM, or set `preflight_address` to where the master can be reached from here.',
  },
  LAUNCH_RATE_SPENT: {
    severity: 'warning',
    exit: 1,
    meaning:
      'Too many instances were launched in vain: they never joined, joined without their slots, or did not last.',
    remedy:
      'Find out why: `provision explain` and the log name the instances and their last stage. Or raise launch_rate.',
  },
  LISTING_MISSING: {
    severity: 'warning',
    exit: 5,
    meaning: 'The VMs of the pool could not be listed completely for too long, so nothing is launched.',
    remedy: "Read the listing's own problem; it is repeated.",
  },
  LISTING_PARTIAL: {
    severity: 'warning',
    exit: 5,
    meaning: 'The newest listing of VMs is old or not complete, so no VM is ended on its word.',
    remedy: "Read the listing's own problem; it is repeated.",
  },
  DEMAND_MISSING: {
    severity: 'warning',
    exit: 1,
    meaning: 'What the master wants is not known, so nothing is launched or ended.',
    remedy: 'Read why the master could not be asked; it is asked again.',
  },
  PAUSED: {
    severity: 'warning',
    exit: 1,
    meaning: 'The pool is paused: nothing is launched or ended.',
    remedy: 'Resume it: `provision resume`.',
  },
  CLEARING: {
    severity: 'warning',
    exit: 1,
    meaning: 'The provisioner ends every VM of the pool before it stops, as it was told, and launches none.',
    remedy: 'Nothing to do. A second signal stops it with the VMs that are left.',
  },
  FOREIGN_WRITER: {
    severity: 'error',
    exit: 1,
    meaning:
      'VMs of this cluster and pool were launched by another provisioner, so this one touches nothing.',
    remedy: 'Stop the other provisioner, or take its VMs over: `provision adopt`.',
  },
  ACCOUNT_CHANGED: {
    severity: 'error',
    exit: 5,
    meaning:
      'The credentials are those of another account than the one this pool launched its instances in, so nothing is launched or terminated.',
    remedy:
      'Give the provisioner credentials of the earlier account. To leave that account, terminate its instances there, then start with an empty state_dir.',
  },
  POOL_GONE: {
    severity: 'warning',
    exit: 1,
    meaning:
      'Instances of this cluster run that belong to no configured pool: it was removed, renamed or moved.',
    remedy: 'Put the pool back into the configuration, or terminate them: `provision terminate ID`.',
  },
  ORPHAN_UNKNOWN: {
    severity: 'warning',
    exit: 1,
    meaning:
      'An instance that no configured pool has is terminated once the master shows it idle, and not before.',
    remedy: 'Wait, or terminate it whatever it does: `provision terminate ID --force`.',
  },
  ORPHANS_UNSEEN: {
    severity: 'warning',
    exit: 5,
    meaning:
      'A location where instances of this cluster were launched cannot be listed: there may be some left.',
    remedy: 'Give the provisioner credentials that may list instances there.',
  },
  JOURNAL_MISSING: {
    severity: 'warning',
    exit: 1,
    meaning: 'Nothing is remembered of earlier launches, so listings must show first what there is.',
    remedy:
      'Wait: a first start takes 10 seconds, one after a lost journal a minute. Keep `state_dir` on a disk that outlives the process.',
  },
  JOURNAL_FAILING: {
    severity: 'error',
    exit: 1,
    meaning:
      'The journal in state_dir cannot be written, and nothing is launched that is not written down first.',
    remedy: 'Make room on the disk of state_dir, or give the process the right to write there.',
  },
  LAUNCH_ERROR: {
    severity: 'error',
    exit: 5,
    meaning: 'More launches failed in a row than launch_error_retries allows.',
    remedy: 'Read the last failure; launches go on after launch_error_timeout.',
  },
  LAUNCH_NOT_READY: {
    severity: 'error',
    exit: 4,
    meaning: 'A VM launched now could not join, so none is launched.',
    remedy: 'Read the problem beside it: the preflight of the master, or the user data.',
  },
  LAUNCH_UNSETTLED: {
    severity: 'warning',
    exit: 5,
    meaning: 'The outcome of a launch is not known; its VMs count until it is.',
    remedy: 'Nothing to do: it is asked again, or settled by listings.',
  },
  CALL_TIMED_OUT: {
    severity: 'warning',
    exit: 5,
    meaning: 'A call was not answered in time, so its outcome is not known.',
    remedy: 'Nothing to do: it is repeated.',
  },
  SNAPSHOT_INVALID: {
    severity: 'error',
    exit: 2,
    meaning: 'A file given to `provision explain` is not a snapshot, or is damaged.',
    remedy: 'Take a new one with `provision explain --save FILE`.',
  },
  SNAPSHOT_MISSING: {
    severity: 'error',
    exit: 1,
    meaning: 'The pool has decided nothing yet, so there is nothing to explain.',
    remedy: 'Ask again in a few seconds; `provision status` tells what the pool waits for.',
  },
  LOCK_HELD: {
    severity: 'error',
    exit: 1,
    meaning:
      'Another provisioner works with the same state_dir, or did so less than a minute ago on another machine.',
    remedy:
      'Stop it, or give this one a state_dir and a cluster_id of its own. Where it is surely gone, wait a minute.',
  },
  STATE_DIR_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning: 'The provisioner keeps what it must not forget in state_dir, and cannot make it or write there.',
    remedy: 'Let state_dir name a folder that this user can make and write to, on a disk with room.',
  },
  STATE_DIR_UNSAFE: {
    severity: 'error',
    exit: 1,
    meaning:
      '`state_dir` or a file in it belongs to another user, can be written by others, or is a link or a device: somebody else could have put it there.',
    remedy: 'Name a folder in state_dir that belongs to the user of the provisioner, with mode 0700.',
  },
  STATE_FOREIGN: {
    severity: 'error',
    exit: 1,
    meaning:
      'A journal in state_dir was written for another cluster, for another pool, or by another provisioner.',
    remedy: 'Restore the journal of this provisioner, or move the file out of state_dir.',
  },
  IDENTITY_UNUSABLE: {
    severity: 'error',
    exit: 1,
    meaning:
      'A file in state_dir that holds an id of this provisioner is empty, damaged or cannot be read, and is never replaced by a new one without a person.',
    remedy: 'Restore the file from a backup.',
  },
  CLUSTER_ID_LOST: {
    severity: 'error',
    exit: 1,
    meaning:
      'The folder in `state_dir` has been used before, but its file `cluster-id` is gone: with a new id every instance launched before would be forgotten.',
    remedy: 'Restore the file `cluster-id` in state_dir, or set `cluster_id` in the configuration.',
  },
} as const satisfies Record<string, CodeInfo>

export type FleetCode = keyof typeof fleetCodes

// Codes of orders and questions to a running provisioner.

export const controlCodes = {
  POOL_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'The provisioner runs no pool of that name.',
    remedy: '`provision status` lists the pools; only those with a `provider` are run.',
  },
  POOL_NOT_RUNNING: {
    severity: 'error',
    exit: 1,
    meaning: 'The pool could not be started yet; it is tried again, and the others run without it.',
    remedy: 'Correct what the message names; the pool starts at its next try.',
  },
  POOL_START_FAILED: {
    severity: 'error',
    exit: 1,
    meaning:
      'Starting the pool failed for a reason that is not foreseen. It is tried again, at most five minutes later.',
    remedy: 'If it stays, report it with the message and the log line.',
  },
  CONTROL_SOCKET_UNUSABLE: {
    severity: 'warning',
    exit: 1,
    meaning:
      'The control socket in state_dir cannot be made, so the command line on this machine finds nobody.',
    remedy: 'Choose a shorter state_dir on a local file system, or configure `listen` and use -m.',
  },
  INSTANCE_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'An order names VMs that are not VMs of this provisioner, so it was not carried out.',
    remedy: '`provision instances` lists them.',
  },
  INSTANCE_BUSY: {
    severity: 'error',
    exit: 1,
    meaning: 'A VM that is to be ended has work, so none of those named was touched.',
    remedy: 'Let the work end first (`provision drain`), or lose it: `provision terminate --force`.',
  },
  ORDER_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'An order to the provisioner is not of the form it should have.',
    remedy: 'Correct what the message names: docs/operate/control.md.',
  },
  PUSH_MISSING: {
    severity: 'warning',
    exit: 1,
    meaning: 'Demand is pushed, and nothing has come for the pool since the start.',
    remedy: 'Push the demand of the pool: docs/push.md.',
  },
  PUSH_STALE: {
    severity: 'warning',
    exit: 1,
    meaning: 'The newest push of the pool is too old to act on, so nothing is launched or ended.',
    remedy: 'See that the master still pushes, at least every 5 s also when nothing has changed.',
  },
  PUSH_REFUSED: {
    severity: 'error',
    exit: 2,
    meaning: 'Pushed demand is not of the form it should have; what was pushed before it stays.',
    remedy: 'Correct the field that the message names: docs/push.md.',
  },
} as const satisfies Record<string, CodeInfo>
