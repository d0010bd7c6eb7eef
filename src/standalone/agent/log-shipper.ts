// Sends the output of a task line by line from its output files, so that no line is lost without a connection.
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StreamPositions } from '../protocol/messages.ts'
import { outputFiles, type Send } from './task.ts'

const kinds = [
  { file: outputFiles.stdout, type: 1 },
  { file: outputFiles.stderr, type: 2 },
] as const

/** Bytes per read from one file, so that a task with endless output does not block the agent. */
const portion = 256 * 1024
/** Bytes after which an unfinished line is sent. */
const longestLine = 16 * 1024

export interface LogShipper {
  /** Sends the available output, up to a limit; `whole` also sends a last line without newline. True when nothing is left. */
  ship(send: Send, whole: boolean): boolean
  /** Everything that was printed so far. */
  isSent(): boolean
  /** The master has the output up to there: what follows is sent, again if it was sent before. */
  resumeAfter(received: StreamPositions): void
}

/** `now`: milliseconds since the epoch. */
export function createLogShipper(containerId: string, folder: string, now: () => number): LogShipper {
  const sent = readOffsets(folder)

  function shipFile({ file, type }: (typeof kinds)[number], send: Send, whole: boolean): boolean {
    const bytes = readAt(join(folder, file), sent[file])
    let start = 0
    for (const end of lineEnds(bytes, whole)) {
      const Value = bytes.toString('utf8', start, end)
      const message = {
        ContainerID: containerId,
        Timestamp: new Date(now()).toISOString(),
        Level: null,
        PullMessage: null,
        RunMessage: { Value, StdType: type },
        AuxMessage: null,
        Position: sent[file] + end,
      }
      if (!send({ ContainerLog: message })) break
      start = end
    }
    sent[file] += start
    return start === bytes.length && bytes.length < portion
  }

  function note(): void {
    writeFileSync(join(folder, offsetFile), JSON.stringify(sent))
  }

  return {
    ship(send, whole) {
      const before = JSON.stringify(sent)
      const done = kinds.map((kind) => shipFile(kind, send, whole)).every(Boolean)
      if (JSON.stringify(sent) !== before) note()
      return done
    },
    resumeAfter({ Stdout: stdout, Stderr: stderr }) {
      if (stdout === sent.stdout && stderr === sent.stderr) return
      Object.assign(sent, { stdout: Math.max(0, stdout), stderr: Math.max(0, stderr) })
      note()
    },
    isSent: () =>
      kinds.every(
        ({ file }) => (statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0) <= sent[file],
      ),
  }
}

const offsetFile = 'sent.json'

/** Offsets of an earlier agent; after a crash lines may be sent twice, but none is lost. */
function readOffsets(folder: string): Record<'stdout' | 'stderr', number> {
  try {
    const { stdout, stderr } = JSON.parse(readFileSync(join(folder, offsetFile), 'utf8')) as Record<
      string,
      number
    >
    return { stdout: Number(stdout) || 0, stderr: Number(stderr) || 0 }
  } catch {
    return { stdout: 0, stderr: 0 }
  }
}

/** Where lines end, their newline included. */
function lineEnds(bytes: Buffer, whole: boolean): number[] {
  const ends: number[] = []
  let start = 0
  while (start < bytes.length) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline + 1
    if (end - start > longestLine) start = wholeCharacters(bytes, start, start + longestLine)
    else if (newline >= 0 || whole) start = end
    else break
    ends.push(start)
  }
  return ends
}

/** Cuts between characters: in UTF-8 every byte but a character's first has the form 10xxxxxx (RFC 3629). */
function wholeCharacters(bytes: Buffer, start: number, end: number): number {
  let cut = end
  while (cut > start + 1 && (bytes[cut]! & 0xc0) === 0x80 && end - cut < 4) cut--
  return cut
}

function readAt(file: string, offset: number): Buffer {
  const handle = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(Math.min(portion, Math.max(0, fstatSync(handle).size - offset)))
    return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, offset))
  } finally {
    closeSync(handle)
  }
}
