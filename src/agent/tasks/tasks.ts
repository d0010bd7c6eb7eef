// What a connected agent does with the containers its master asks for.
import type { MasterInfo, SignalContainer, StartContainer } from '../../protocol/agent-message.ts'
import type { Container } from '../../protocol/container.ts'
import type { ContainerReattachAck, MasterMessage } from '../../protocol/master-message.ts'

/** False when the connection is over. */
export type Send = (message: Partial<MasterMessage>) => boolean

export interface Tasks {
  /** A connection begins. Answers what has become of the containers the master believes this agent has. */
  connected(master: MasterInfo, send: Send, expected: Container[]): Promise<ContainerReattachAck[]>
  /** The connection is over; nothing can be sent before the next begins. */
  disconnected(): void
  start(order: StartContainer): void
  signal(order: SignalContainer): void
}
