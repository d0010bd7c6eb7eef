// Which room may import which: a room knows those in the rows above it, never one below.
import { describe, expect, it } from 'vitest'
import { sourcesBelow } from '../support/sources.ts'

/** From the ground up. A room imports rooms of earlier rows only. */
const rows = [
  ['problems'],
  ['platform', 'planner'],
  ['pki'],
  ['config'],
  ['agent-setup'],
  ['providers', 'demand'],
  ['fleet'],
  ['http'],
  ['standalone', 'simulator'],
  ['provisioner'],
  ['cli', 'index.ts', 'testing'],
]
const levelOf = new Map(rows.flatMap((row, level) => row.map((room) => [room, level] as const)))
const sources = sourcesBelow('src')
const roomOf = (path: string) => path.split('/')[1]!

describe('rooms', () => {
  it('are those of the table', () => {
    expect([...new Set(sources.map((file) => roomOf(file.path)))].sort()).toEqual([...levelOf.keys()].sort())
  })
})
