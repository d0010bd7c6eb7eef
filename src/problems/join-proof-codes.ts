// Codes of join proofs: why an instance could not show what it is.
import type { CodeInfo } from './code-info.ts'

export const joinProofCodes = {
  JOIN_PROOF_INVALID: {
    severity: 'error',
    exit: 1,
    meaning:
      'A request for an instance certificate was refused because its join proof is malformed, forged, too old, or made for another request.',
    remedy:
      'If the instance is one of the pool, check its clock, and what its startup script reports; otherwise find the sender by the address in the log.',
  },
  JOIN_PROOF_OTHER: {
    severity: 'error',
    exit: 1,
    meaning:
      'A request for an instance certificate was refused because its join proof is of another instance, account or project than the one it names.',
    remedy:
      'Find the sender by the address in the log: it has credentials of the cloud, but is not that instance.',
  },
  JOIN_PROOF_UNCHECKED: {
    severity: 'error',
    exit: 5,
    meaning:
      'The join proof of an instance could not be verified, because what verifies it could not be reached or read.',
    remedy:
      'Correct the cause in the message: the network, the proxy, or the credentials of the provisioner. The instance tries again.',
  },
  JOIN_PROOF_UNAVAILABLE: {
    severity: 'error',
    exit: 3,
    meaning: 'The pool requires join proofs that its instances cannot make, or that cannot be verified.',
    remedy: 'Change the setting that the message names.',
  },
} as const satisfies Record<string, CodeInfo>
