// A process that a test kills and restarts.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Killable {
  /** Arguments of Node for this program. */
  start(args: string[]): ChildProcess
  /** SIGKILL; resolves when the process has exited. False when there was none. */
  kill(): Promise<boolean>
  isUp(): boolean
}

/** `onOwnEnd` is called when it exits without a kill. */
export function killable(options: SpawnOptions, onOwnEnd: (status: string) => void = () => {}): Killable {
  let current: ChildProcess | undefined

  return {
    start(args) {
      const child = spawn(process.execPath, args, options)
      current = child
      child.once('exit', (code, signal) => {
        if (current !== child) return
        current = undefined
        onOwnEnd(signal ?? `exit status ${code}`)
      })
      return child
    },
    async kill() {
      const child = current
      if (!child) return false
      current = undefined
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      return true
    },
    isUp: () => current !== undefined,
  }
}
