// Runs the containers of our own master as processes of this machine. They outlive the agent and its connections; each is
// written down before it runs, so that none runs twice.
import type { Clock, Logger } from '../../platform/ports.ts'
import type { MasterInfo, StartContainer } from '../protocol/agent-message.ts'
import type { Container } from '../protocol/container.ts'
import type { Device } from '../protocol/device.ts'
import { beginTask } from './begin-task.ts'
import { createLogShipper, type LogShipper } from './log-shipper.ts'
import type { AgentOptions } from './options.ts'
import { endReport, failure, failureOf, reattachAck, stateReport } from './reports.ts'
import { exitCodeOf, hasBegun, isRunning, signalTask } from './task-process.ts'
import { readTask, type TaskRecord, writeTask } from './task-record.ts'
import type { Send, Tasks } from './tasks-tasks.ts'
import type { WorkFolder } from './work-folder.ts'

export interface TasksContext {
  options: AgentOptions
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** The agent ends; its tasks go on. */
  signal: AbortSignal
  devices: () => Promise<Device[]>
  folder: WorkFolder
}

interface Task {
  record: TaskRecord
  logs: LogShipper
  /** Resolves when it ends; never for one that an earlier agent started. */
  ended: Promise<unknown>
  /** Nobody wants to hear of it any more. */
  unwanted: boolean
}

const pollMs = 250
/** Tasks that have ended are remembered, in case their end did not reach the master. */
const mostEnded = 100
const sigkill = 9

export function processTasks(context: TasksContext): Tasks {
  const { clock, folder, logger, signal } = context
  const tasks = new Map<string, Task>()
  const starting = new Map<string, Promise<void>>()
  let restored = false
  let master: MasterInfo | undefined
  let send: Send | undefined

  function add(record: TaskRecord, ended: Promise<unknown> = new Promise(() => {})): void {
    const { id } = record.container
    const logs = createLogShipper(id, folder.task(id), clock.now)
    const task = { record, logs, ended, unwanted: false }
    tasks.set(id, task)
    watch(id, task).catch((error: unknown) => {
      if (!signal.aborted) logger.error('a task can no longer be watched', { container: id, error })
    })
  }

  /** Ships what it prints and reports its end; both wait for a connection. */
  async function watch(id: string, task: Task): Promise<void> {
    for (;;) {
      const running = isRunning(task.record)
      if (!running && !task.record.ended) noteEnd(id, task)
      if (!running && task.unwanted) return forget(id)
      if (send && task.logs.ship(send, !running) && !running && report(task)) return
      const pause = clock.sleep(pollMs, signal)
      // The race may be over before the agent ends.
      pause.catch(() => {})
      await (running ? Promise.race([pause, task.ended]) : pause)
    }
  }

  function noteEnd(id: string, task: Task): void {
    const ended = { at: clock.now(), exitCode: exitCodeOf(folder.task(id)) }
    task.record = { ...task.record, ended }
    writeTask(folder.task(id), task.record)
    logger.info('a task has ended', { container: id, exit_status: ended.exitCode })
    const over = [...tasks].filter(([, other]) => other.record.ended)
    for (const [old] of over.slice(0, -mostEnded)) forget(old)
  }

  function forget(id: string): void {
    tasks.delete(id)
    folder.remove(id)
  }

  function report({ record: { container, ended } }: Task): boolean {
    const message = ended ? endReport(container, failureOf(ended)) : stateReport(container, 'RUNNING')
    return send?.(message) ?? false
  }

  async function restore(): Promise<void> {
    restored = true
    for (const id of folder.ids()) {
      const record = readTask(folder.task(id))
      // Nothing of another ever ran: its shell gave up when the agent died.
      if (record && (await hasBegun(folder.task(id), record, clock))) add(record)
      else folder.remove(id)
    }
  }

  async function begin(order: StartContainer): Promise<void> {
    const { Container: container } = order
    try {
      const { record, ended } = await beginTask(order, master!, context)
      // Not before it runs: of what the master has heard nothing, it knows that it may order it once more.
      send?.(stateReport(container, 'STARTING'))
      // Before anything watches it: its end may come at once, and must not be told first.
      send?.(stateReport(container, 'RUNNING'))
      add(record, ended)
      logger.info('a task has started', { container: container.id, pid: record.process.pid })
    } catch (error) {
      const reason = (error as Error).message
      logger.error('a task could not be started', { container: container.id, reason })
      send?.(endReport(container, failure('agentError', reason)))
    }
  }

  return {
    async reattach(info, expected) {
      master = info
      await Promise.all(starting.values())
      if (!restored) await restore()
      const wanted = new Set(expected.map((container) => container.id))
      for (const [id, task] of tasks) {
        if (wanted.has(id) && task.record.clusterId === info.cluster_id) continue
        task.unwanted = true
        if (task.record.ended) forget(id)
        else logger.warn('ending a task the master does not know', { container: id })
        signalTask(task.record, sigkill)
      }
      return expected.map((container) => ackFor(container, tasks.get(container.id)))
    },
    online(sendNow) {
      send = sendNow
    },
    start(order) {
      const { id } = order.Container
      const known = tasks.get(id)
      if (known) report(known)
      else if (!starting.has(id))
        starting.set(
          id,
          begin(order).finally(() => starting.delete(id)),
        )
    },
    signal({ ContainerID: id, Signal: number }) {
      void Promise.resolve(starting.get(id)).then(() => {
        const task = tasks.get(id)
        if (task && !task.record.ended) signalTask(task.record, number)
        else if (task) report(task)
        else {
          const unknown: Container = { id, state: '', devices: [], description: '' }
          send?.(endReport(unknown, failure('containerMissing', 'this agent has no such container')))
        }
      })
    },
  }
}

function ackFor(container: Container, task: Task | undefined) {
  if (!task || task.unwanted)
    return reattachAck(container, 'TERMINATED', failure('restoreError', 'this agent has no such container'))
  const { ended } = task.record
  return ended
    ? reattachAck(container, 'TERMINATED', failureOf(ended))
    : reattachAck(container, 'RUNNING', null)
}
