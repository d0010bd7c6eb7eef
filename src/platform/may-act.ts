// The last check before something is changed: a process that has lost its lease sends nothing more.
import { type Problem, ProvisionError, problem } from '../problems/index.ts'

/** Whether this process may still change something; asked right before each request that does, so it must be quick. */
export type MayAct = () => boolean

/**
 * Throws STATE_RIGHT_LOST when the request must not be sent. Without `mayAct` everything may be.
 * @param what the request, such as `RunInstances`
 */
export function checkMayAct(mayAct: MayAct | undefined, what: string): void {
  if (mayAct && !mayAct()) throw new ProvisionError(notSent(what))
}

export function notSent(what: string): Problem {
  return problem('STATE_RIGHT_LOST', `${what} was not sent: this process may no longer change anything`, {
    remedy: 'No action is needed: the provisioner that leads now carries on.',
  })
}

/** The error of `checkMayAct`, also inside an error that a library made of it; undefined for any other. */
export function notSentIn(error: unknown): ProvisionError | undefined {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if (inner instanceof ProvisionError && inner.code === 'STATE_RIGHT_LOST') return inner
  return undefined
}
