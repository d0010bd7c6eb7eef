// Codes of joins with a proof, and of the CA that issues the certificates of instances.
import type { CodeInfo } from './code-info.ts'

export const identityCodes = {
  JOIN_REFUSED: {
    severity: 'error',
    exit: 1,
    meaning: 'The provisioner does not accept this instance. The answer is the same for every reason.',
    remedy: 'Look for the code of the reason in the log of the provisioner; it is one of the codes below.',
  },
  JOIN_LIMITED: {
    severity: 'error',
    exit: 1,
    meaning: 'Too many join requests arrive from one address, or together.',
    remedy: 'Nothing is needed: instances try again after the time in `Retry-After`.',
  },
  JOIN_UNAVAILABLE: {
    severity: 'error',
    exit: 1,
    meaning:
      'The provisioner could not decide about a join, because its state, its listing or the cloud did not answer.',
    remedy: 'Instances try again by themselves; see the reason in the log of the provisioner.',
  },
  JOIN_MALFORMED: {
    severity: 'error',
    exit: 1,
    meaning: 'A join request does not have the documented form.',
    remedy:
      'Nothing is needed, unless the request comes from an instance of yours: then its image, or a template of yours, has changed the startup script.',
  },
  JOIN_CSR_INVALID: {
    severity: 'error',
    exit: 1,
    meaning:
      'A join request contains no usable certificate request: ECDSA P-256 with SHA-256, signed by its own key, with the instance id as the only name.',
    remedy:
      'Nothing is needed, unless the request comes from an instance of yours: then its image, or a template of yours, has changed the startup script.',
  },
  JOIN_NONCE_INVALID: {
    severity: 'error',
    exit: 1,
    meaning:
      'A join request contains a nonce that no provisioner of the cluster has issued for its key, or one that is older than a minute.',
    remedy:
      'Compare the clocks of the hosts that run provisioners; instances try again with a new nonce. If the clocks agree, look for the sender at the logged address: somebody may have copied a proof.',
  },
  JOIN_NONCE_USED: {
    severity: 'error',
    exit: 1,
    meaning: 'A nonce was sent a second time: a request was repeated, perhaps by somebody who recorded it.',
    remedy: 'Nothing is needed: it was refused. If it repeats, look for the sender at the logged address.',
  },
  JOIN_INSTANCE_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'A join request names an instance that this cluster has not launched into a pool with `join`.',
    remedy:
      'If the instance is yours, see `provision instances`: it may belong to another cluster or to a pool without `join`.',
  },
  JOIN_INSTANCE_GONE: {
    severity: 'error',
    exit: 1,
    meaning: 'A join request names an instance that the cloud no longer lists.',
    remedy:
      "Nothing is needed, unless the cloud's console shows the instance: then see `provision check` for its listing.",
  },
  JOIN_PROOF_KIND: {
    severity: 'error',
    exit: 1,
    meaning: 'A join request brings a kind of proof that the pool does not accept.',
    remedy: 'Name the kind in `join.proofs` of the pool, if it shall be accepted.',
  },
  JOIN_KEY_CHANGED: {
    severity: 'error',
    exit: 1,
    meaning:
      'An instance has proved its identity with another key than the one that it joined with first. It was refused, and the first certificate stays valid.',
    remedy:
      'If you have replaced the disk or the key of the instance: `provision agents-ca reissue ID`. If not, a job on it may have asked for a certificate in its name: look at its jobs.',
  },
  JOIN_KEY_CONTESTED: {
    severity: 'error',
    exit: 1,
    meaning:
      'The certificate of an instance has expired, and while it was valid another key was brought for the same instance, so that it is not known which of the two is that of the agent.',
    remedy: 'Look at the jobs of the instance, then `provision agents-ca reissue ID`, or terminate it.',
  },
  JOIN_CERTIFICATE_INVALID: {
    severity: 'error',
    exit: 1,
    meaning:
      "A certificate was to be renewed, but the connection shows no valid certificate of the agents' CA for this instance and key.",
    remedy: 'Instances join again with a proof by themselves. If it repeats, compare the clocks.',
  },
  JOIN_BINDING_UNKNOWN: {
    severity: 'error',
    exit: 1,
    meaning: 'No instance with this id has joined with a certificate.',
    remedy: 'See `provision instances` for the ids; an instance that has never joined needs no command.',
  },
  AGENTS_CA_MISSING: {
    severity: 'error',
    exit: 3,
    meaning: "There is no agents' CA yet.",
    remedy: 'Run `provision agents-ca init`, or start the provisioner with a pool that has `join`.',
  },
  AGENTS_CA_EXISTS: {
    severity: 'error',
    exit: 1,
    meaning: "There is an agents' CA already; it is not overwritten.",
    remedy: 'To replace it: `provision agents-ca rotate`.',
  },
  AGENTS_CA_ROTATION: {
    severity: 'error',
    exit: 1,
    meaning: 'The steps of a rotation are out of order.',
    remedy:
      '`provision agents-ca show` shows which step is next: `rotate`, `rotate --activate`, `rotate --finish`.',
  },
  AGENTS_CA_IN_USE: {
    severity: 'error',
    exit: 1,
    meaning: 'The previous CA cannot be dropped: instances may still need certificates that it issued.',
    remedy:
      'Wait until the instances have shown certificates of the new CA, which they do within two days, or until they are gone.',
  },
  AGENTS_CA_CHANGED: {
    severity: 'error',
    exit: 1,
    meaning:
      "The agents' CA, or the key of an instance, was changed by another process at the same time; nothing was done.",
    remedy: 'Run the command again.',
  },
  AGENTS_CA_UNUSABLE: {
    severity: 'error',
    exit: 3,
    meaning: "The certificate or key of the agents' CA, or what is stored about joins, cannot be used.",
    remedy: 'Correct the file that the message names, or restore it from a backup.',
  },
  AGENTS_CA_TOKEN: {
    severity: 'error',
    exit: 3,
    meaning: "The key of the agents' CA, which is in a PKCS #11 token, cannot be used.",
    remedy:
      'Correct what the message names: `pkcs11-tool` of OpenSC, the module, the token, its PIN, or the label of the key. Instances try again by themselves.',
  },
  AGENTS_CA_IS_FILE: {
    severity: 'error',
    exit: 2,
    meaning:
      "The agents' CA is in files of the user, or its key in a token, so that the provisioner does not create or rotate it.",
    remedy:
      'Rotate it in the files: add the new certificate at the end of certificate_file; later put it first and exchange key_file, or pkcs11.label; later remove the old one.',
  },
} as const satisfies Record<string, CodeInfo>
