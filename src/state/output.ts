// The port, part for the built-in master: the last lines that its jobs have printed.

export interface OutputLine {
  containerId: string
  /** RFC 3339. */
  timestamp: string
  /** `agent`: by the agent of the container. */
  stream: 'stdout' | 'stderr' | 'agent'
  text: string
  /** Bytes that the container had printed to this stream with the line; only where its agent counts them. */
  position?: number
}

/** By container: bytes of each stream that are known to have arrived. */
export type Positions = Readonly<Record<string, { readonly stdout: number; readonly stderr: number }>>

export interface OutputHead {
  /** Lines that were printed, kept or not. */
  count: number
  positions: Positions
}

export interface KeptOutput extends OutputHead {
  /** The last of them, oldest first, without those that were lost; may be more than what was asked to be kept. */
  lines: OutputLine[]
}

/** Lines of one allocation that follow each other. */
export interface OutputChunk {
  allocation: string
  /** Lines printed before the first of these. */
  first: number
  lines: readonly OutputLine[]
  /** With these lines. */
  positions: Positions
  /** Lines before this number are needed no more; at most `first`. */
  kept: number
}

/**
 * The output may contain secrets of users: it is written nowhere else. Every call may fail with a ProvisionError or an errno
 * error. One call has at most one chunk of an allocation. A chunk that is written again, or with other chunks of the same lines, changes nothing.
 */
export interface OutputStore {
  /** Those of which something is kept. */
  allocations(): Promise<string[]>
  /** Of those that are here, and can be read. */
  heads(allocations: readonly string[]): Promise<Map<string, OutputHead>>
  /** `count` is 0 for one that is not here. */
  read(allocation: string): Promise<KeptOutput>
  /**
   * Resolves once the chunks survive a crash of this process. Where all output together becomes too large, that of the
   * allocations which were written to least recently goes first; their heads stay. Throws STATE_RIGHT_LOST as journals do.
   */
  append(chunks: readonly OutputChunk[]): Promise<void>
  forget(allocations: readonly string[]): Promise<void>
}

/** Characters of all output together, or bytes of a folder. */
export const mostOutput = 256 * 1024 * 1024

export const noOutput: KeptOutput = { count: 0, positions: {}, lines: [] }

/** Lines with their numbers, in the order in which they were stored: a later one replaces an earlier one of its number. */
export function joinOutput(
  stored: Iterable<readonly [number: number, line: OutputLine]>,
  head: OutputHead,
): KeptOutput {
  const byNumber = new Map<number, OutputLine>()
  const positions = new Map(Object.entries(head.positions).map(([id, each]) => [id, { ...each }]))
  let count = head.count
  for (const [number, line] of stored) {
    byNumber.set(number, line)
    count = Math.max(count, number + 1)
    const { containerId, stream, position } = line
    if (position === undefined || stream === 'agent') continue
    const known = positions.get(containerId) ?? { stdout: 0, stderr: 0 }
    known[stream] = Math.max(known[stream], position)
    positions.set(containerId, known)
  }
  const lines = [...byNumber].sort(([one], [other]) => one - other).map(([, line]) => line)
  return { count, positions: Object.fromEntries(positions), lines }
}
