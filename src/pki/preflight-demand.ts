// Whether a master demands the certificates that the provisioner issues: dialled as agents dial it, with none, with one that
// no trusted CA has signed, and with a right one. None of the dials registers an agent.

import { rootCertificates } from 'node:tls'
import { wallTime } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import { foreignTwin } from './foreign-certificate.ts'
import type { PreflightOrder } from './preflight.ts'
import { describeAnswer, judgeUpgrade } from './preflight-answer.ts'
import {
  classify,
  type DialOutcome,
  type Dials,
  faultText,
  type JoinProof,
  openDials,
} from './preflight-dial.ts'

export interface DemandOrder
  extends Pick<
    PreflightOrder,
    'address' | 'dialAddress' | 'plan' | 'timeoutMs' | 'clock' | 'signal' | 'wellKnown' | 'lookup'
  > {
  joinProof: JoinProof
}

export interface DemandFinding {
  /** What keeps the pool from being protected, or its agents from joining. */
  problems: Problem[]
  /** Why nothing can be told from here: then there are no problems. */
  unknown?: string
}

/** Of one dial; a string: why it shows nothing. */
type Answer = 'accepted' | 'refused' | { unclear: string; isCut: boolean }

/** Resolves also if the master cannot be reached; rejects only with the signal's reason. */
export async function probeDemand(order: DemandOrder): Promise<DemandFinding> {
  const { address, plan, joinProof, clock, signal } = order
  const dialled = order.dialAddress ?? { host: address.host, port: address.port }
  if (address.alias && !order.dialAddress)
    return { problems: [], unknown: `agents dial \`${dialled.host}\`, which only they can resolve` }
  const foreign = await foreignTwin(joinProof.certificate.cert, wallTime(clock))
  const dials = openDials({ ...order, dialled, wellKnown: order.wellKnown ?? rootCertificates })
  try {
    const isPlain = plan.mode === 'off'
    const [none, other, own] = isPlain
      ? [await dials.inPlainText('upgrade')]
      : await Promise.all([
          dials.asAgent({ clientCertificate: undefined }, 'upgrade'),
          dials.asAgent({ clientCertificate: foreign }, 'upgrade'),
          dials.asAgent({}, 'upgrade'),
        ])
    signal?.throwIfAborted()
    return judge(
      { none: answerOf(none!), foreign: other && answerOf(other), own: own && answerOf(own) },
      dials,
    )
  } finally {
    dials.close()
  }
}

/** Without TLS no certificate can be presented. */
interface Answers {
  none: Answer
  foreign?: Answer
  own?: Answer
}

function judge(answers: Answers, { at }: Dials): DemandFinding {
  const { own } = answers
  // A server that takes ours and cuts another off refuses that: not every server says why.
  const settled = (answer: Answer | undefined) =>
    typeof answer === 'object' && answer.isCut && own === 'accepted' ? 'refused' : answer
  const none = settled(answers.none)
  const foreign = settled(answers.foreign)
  const problems: Problem[] = []
  if (none === 'accepted')
    problems.push(problem('JOIN_ANYONE_ACCEPTED', `${at} accepts agents without a client certificate`))
  if (foreign === 'accepted' && none !== 'accepted')
    problems.push(
      problem('JOIN_FOREIGN_ACCEPTED', `${at} accepts a client certificate that no CA of its own has signed`),
    )
  if (own === 'refused')
    problems.push(
      problem('JOIN_CERTIFICATE_REFUSED', `${at} refuses a certificate that the agents' CA has signed`),
    )
  if (problems.length > 0) return { problems }
  const unclear = [own, none, foreign].find((answer) => typeof answer === 'object')
  return { problems, ...(unclear && { unknown: `${at}: ${unclear.unclear}` }) }
}

function answerOf(outcome: DialOutcome): Answer {
  const { http, fault } = outcome
  if (http) {
    const code = judgeUpgrade(http, false, { agentsHaveClientCertificate: true })
    if (!code) return 'accepted'
    if (code === 'PREFLIGHT_CLIENT_CERT_REQUIRED') return 'refused'
    return { unclear: `it answered an agent's WebSocket upgrade with ${describeAnswer(http)}`, isCut: false }
  }
  const code = classify(outcome)
  if (code === 'PREFLIGHT_CLIENT_CERT_REQUIRED') return 'refused'
  const isCut = cuts.has(code)
  return { unclear: fault ? `no answer: ${faultText(fault)}` : 'no answer in time', isCut }
}

/** Ends of a dial that may be the refusal of its certificate. */
const cuts: ReadonlySet<string> = new Set([
  'PREFLIGHT_HANDSHAKE_REFUSED',
  'PREFLIGHT_CLOSED_IN_HANDSHAKE',
  'PREFLIGHT_CLOSED_AFTER_CONNECT',
])
