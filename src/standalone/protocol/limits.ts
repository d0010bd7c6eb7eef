// The wire's numbers: those both ends must share (origin: master/pkg/ws/ws.go) and our own bounds.

/** Milliseconds between pings, from both ends. */
export const pingInterval = 15_000
/** Milliseconds a connection lives without a pong. Only a pong counts: a peer that talks but cannot hear is gone too. */
export const pongDeadline = 60_000
/** Milliseconds to wait for the other end's half of a close. */
export const closeWait = 5_000
/** Milliseconds to dial, shake hands and be answered (gorilla's default dialer has 45 s, too). */
export const dialTimeout = 45_000

/** Largest frame a master may send: start orders carry packed files. */
export const largestAgentFrame = 128 * 1024 * 1024
/**
 * Largest frame we take from an agent. The origin takes 128 MiB; the largest that agents really send are log lines and
 * docker's description of a container, far below this, and a master has to bear thousands of agents.
 */
export const largestMasterFrame = 8 * 1024 * 1024
/** Bytes a peer may leave unread before it is given up: one large start order and then some. */
export const mostUnread = 192 * 1024 * 1024
/**
 * What a master takes from one agent in a second, and how much of it at once: a chatty task slows itself down, not the
 * others. The agent's socket is left unread for a while, nothing is thrown away.
 */
export const agentFlow = { messages: 1000, bytes: 8 * 1024 * 1024, burstSeconds: 4 }

/** For both kinds of `ws` socket. Apart from the others because @types/ws does not know `closeTimeout` yet. */
export const socketOptions = { perMessageDeflate: false, closeTimeout: closeWait }
