// Rows about what agents of one pool would be given: their trust, their user data, the request for their VMs.

import { codeGroups } from '../problems/codes.ts'
import { isError, type Problem } from '../problems/problem.ts'
import type { PoolOutcome } from './prepare.ts'
import { type CheckRow, rowsOf } from './row.ts'

const topics = ['trust', 'user data', 'launch request'] as const
type Topic = (typeof topics)[number]

/** @param outcome undefined when the certificate is refused */
export function checkAgents(subject: string, outcome: PoolOutcome | undefined): CheckRow[] {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!outcome) return topics.map((topic) => notChecked(topic, 'the certificate has to be right first'))
  // What only the cloud can tell is asked of it, a few rows further down.
  const problems = outcome.problems.filter(({ code }) => code !== 'REQUEST_UNKNOWN_OFFLINE')
  return topics.flatMap((topic) => {
    const mine = problems.filter((fault) => topicOf(fault) === topic)
    const faults = mine.map((fault) => of(topic, fault))
    if (mine.some(isError)) return faults
    const note = notes[topic](outcome)
    const row =
      note === undefined ? notChecked(topic, 'what failed has to be right first') : passed(topic, note)
    return [row, ...faults]
  })
}

/** undefined where it did not come so far. */
const notes: Record<Topic, (outcome: PoolOutcome) => string | undefined> = {
  trust({ dialable }) {
    if (!dialable) return undefined
    const { mode, modeReason, certificateName } = dialable.setup.trust
    return `${mode}: ${modeReason}${certificateName ? `; the name ${certificateName}` : ''}`
  },
  'user data'({ prepared, pool }) {
    if (!prepared) return undefined
    const { bytes, encoding } = prepared.userData
    const size = `${bytes.packed} bytes${bytes.limit === undefined ? '' : ` of ${bytes.limit}`}`
    const form = encoding === 'plain' ? '' : ` as ${encoding}`
    const allowed = pool.provider.allow_secrets_in_user_data
    return `${size}${form}; ${allowed ? 'secrets in it are allowed' : 'no key or token in it'}`
  },
  'launch request'({ prepared }) {
    if (!prepared) return undefined
    const { call, region } = prepared.request
    return `${call}${region ? ` in ${region}` : ''}`
  },
}

function topicOf({ code }: Problem): Topic {
  if (code in codeGroups['User data']) return 'user data'
  return code in codeGroups['Clouds and this machine'] ? 'launch request' : 'trust'
}
