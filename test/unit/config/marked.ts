// Configurations with a mark where a problem is expected: `➤` is directly before the character.

import type { ProblemCode } from '../../../src/problems/codes.ts'
import type { Problem } from '../../../src/problems/index.ts'
import { parseConfig } from '../../support/config.ts'

export interface WrongInput {
  /** The rule, in words. */
  rule: string
  /** The file, with the mark. */
  text: string
  code: ProblemCode
  /** The useful part of the remedy. */
  remedy: string
}

export interface Marked {
  text: string
  place: string
}

const mark = '➤'

export function withoutMark(text: string): Marked {
  const at = text.indexOf(mark)
  if (at < 0 || text.indexOf(mark, at + 1) >= 0) throw new Error(`needs exactly one mark:\n${text}`)
  const before = text.slice(0, at).split('\n')
  return { text: text.replace(mark, ''), place: `${before.length}:${before.at(-1)!.length + 1}` }
}

export function problemsOf(text: string): Problem[] {
  return parseConfig(text, 'master.yaml').problems
}

/** A pool whose provider has these lines below its type. */
export function provider(type: string, lines: string): string {
  return `resource_pools:
  - pool_name: p
    provider:
      type: ${type}
${indent(lines, 6)}`
}

export const aws = (lines: string) => provider('aws', `image: {id: ami-1}\n${lines}`)
export const gcp = (lines: string) => provider('gcp', `boot_disk_source_image: i\n${lines}`)
export const local = (lines: string) => provider('local', lines)

function indent(lines: string, by: number): string {
  return lines.replaceAll(/^(?=.)/gm, ' '.repeat(by))
}
