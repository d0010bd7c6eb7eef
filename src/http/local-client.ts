// Talks to the provisioner of this machine through the socket in its state folder. The file's mode decides who may.
import { join } from 'node:path'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { Client } from './client.ts'
import { exchange } from './exchange.ts'

export interface LocalClientOptions {
  stateDir: string
  version: string
  /** Milliseconds for one request. */
  timeoutMs?: number
}

export function createLocalClient({ stateDir, version, timeoutMs = 15_000 }: LocalClientOptions): Client {
  const socketPath = join(stateDir, 'control.sock')
  return {
    url: socketPath,
    // Nobody but the user of the provisioner can have put it there.
    async meet() {},
    async ask(method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = { Accept: 'application/json', 'User-Agent': `provision/${version}`, Host: 'localhost' }
      const order = { host: 'localhost', port: 0, socketPath, method, path, headers, body: text, timeoutMs }
      const answer = await exchange(order).catch((error: NodeJS.ErrnoException) => {
        throw new ProvisionError(noAnswer(error, socketPath, stateDir))
      })
      return { status: answer.status, value: parsedAnswer(answer.text, socketPath) }
    },
  }
}

function noAnswer(error: NodeJS.ErrnoException, socket: string, stateDir: string): Problem {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return problem('NOT_RUNNING', `no provisioner runs with ${stateDir}`, { cause: error })
    case 'EACCES':
    case 'EPERM':
      return problem('CONTROL_SOCKET_DENIED', `${socket} may not be opened`, { cause: error })
    default:
      return problem('CLIENT_UNREACHABLE', `${socket}: ${error.message}`, { cause: error })
  }
}

function parsedAnswer(text: string, socket: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ProvisionError(problem('MASTER_FAULT', `${socket} answered with what is no JSON`, { cause }))
  }
}
