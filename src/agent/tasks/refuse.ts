// The answer of an agent that runs nothing: every container fails at once, with the reason, so that nobody waits for it.
import type { Logger } from '../../model/ports.ts'
import { failureTypes } from '../../protocol/container.ts'
import type { Send, Tasks } from './tasks.ts'

const reason = 'this agent runs no containers: it is not the Determined agent'

export function refuseTasks(logger: Logger): Tasks {
  let send: Send = () => false
  return {
    async connected(_, sendNow, expected) {
      send = sendNow
      return expected.map((container) => ({
        Container: { ...container, state: 'TERMINATED' },
        Failure: { FailureType: failureTypes.restoreError, ErrMsg: reason, ExitCode: null },
      }))
    },
    disconnected() {
      send = () => false
    },
    start({ Container: container }) {
      logger.warn('refused to run a container', { container: container.id, reason })
      send({
        ContainerStateChanged: {
          Container: { ...container, state: 'TERMINATED' },
          ContainerStarted: null,
          ContainerStopped: {
            Failure: { FailureType: failureTypes.agentError, ErrMsg: reason, ExitCode: null },
          },
        },
      })
    },
    signal({ ContainerID: container }) {
      logger.debug('asked to signal a container this agent does not have', { container })
    },
  }
}
