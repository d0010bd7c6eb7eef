// What is being read and where: the block of the file at hand, and how problems with it are noted.

import type { ProblemCode } from '../problems/codes.ts'
import { type Problem, type ProblemOptions, problem } from '../problems/problem.ts'
import type { YamlPath, YamlText } from './yaml.ts'

export interface Reading {
  yaml: Pick<YamlText, 'locate' | 'textOf'>
  problems: Problem[]
  /** Absolute folder that relative paths start from. */
  folder: string
}

/** A mapping of the file. */
export interface Block {
  reading: Reading
  path: YamlPath
  raw: Record<string, unknown>
}

export interface At extends Omit<ProblemOptions, 'where'> {
  /** A key of the block, or a path below it; without it the block itself. */
  key?: string | YamlPath
  /** `key` marks the key's name instead of its value. */
  part?: 'key' | 'value'
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An empty key counts as absent, as in the origin. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

/** Whether the user wrote the key with a value: a default, or an empty text, is nothing the user said. */
export function given({ raw }: Block, key: string): boolean {
  return Object.hasOwn(raw, key) && !isAbsent(raw[key]) && raw[key] !== ''
}

/** Notes a problem; gives undefined, so that a reader can end with it. */
export function note(block: Block, code: ProblemCode, message: string, at: At = {}): undefined {
  const { key = [], part, ...options } = at
  const path = [...block.path, ...(typeof key === 'string' ? [key] : key)]
  const where = block.reading.yaml.locate(path, part ?? (path.length === block.path.length ? 'key' : 'value'))
  block.reading.problems.push(problem(code, message, { ...options, where }))
}

/** A mapping below this one; undefined when the key is absent or holds something else. */
export function inner(block: Block, key: string): Block | undefined {
  const raw = block.raw[key]
  return isMapping(raw) ? { reading: block.reading, path: [...block.path, key], raw } : undefined
}

export function errorCount({ problems }: Reading): number {
  return problems.filter(({ severity }) => severity === 'error').length
}

/** `tls.trust`, `custom_tags[1].key`: the path as people say it, from the block it belongs to. */
export function nameOf(path: YamlPath): string {
  const start = path.findLastIndex((part) => part === 'provider' || part === 'provisioner') + 1
  const own = start > 0 && start < path.length ? path.slice(start) : afterPool(path)
  return own
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index ? `.${part}` : part))
    .join('')
}

function afterPool(path: YamlPath): YamlPath {
  return path[0] === 'resource_pools' && path.length > 2 ? path.slice(2) : path
}
