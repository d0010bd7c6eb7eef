// What a connected agent does with the containers its master asks for.
import type { MasterInfo, SignalContainer, StartContainer } from '../protocol/agent-message.ts'
import type { Container } from '../protocol/container.ts'
import type { ContainerReattachAck, MasterMessage } from '../protocol/messages.ts'

/** False when the connection is over. */
export type Send = (message: Partial<MasterMessage>) => boolean

export interface Tasks {
  /** What has become of the containers the master believes this agent has; it goes with AgentStarted. */
  reattach(master: MasterInfo, expected: Container[]): Promise<ContainerReattachAck[]>
  /** AgentStarted is said: from here on the master may be told of containers, until the connection is over. */
  online(send: Send): void
  start(order: StartContainer): void
  signal(order: SignalContainer): void
}
