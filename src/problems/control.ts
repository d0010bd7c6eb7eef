// Codes of orders and questions to a running provisioner.
import type { CodeInfo } from './code-info.ts'

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
    meaning: 'The pool could not be started, and the others run without it.',
    remedy: 'Correct what the message names and start the provisioner again.',
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
    remedy: 'Correct what the message names: docs/control.md.',
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
