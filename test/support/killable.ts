// A process that a test kills and starts again.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Killable {
  /** Of this program; the arguments are Node's. */
  start(args: string[]): ChildProcess
  /** SIGKILL; resolves when the process is gone. False when there was none. */
  kill(): Promise<boolean>
  isUp(): boolean
}

/** `onOwnEnd` hears of an end that nobody asked for. */
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
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
      return true
    },
    isUp: () => current !== undefined,
  }
}
