// Runs the containers of the built-in master as processes of this machine. They keep running without the agent and its
// connections; each is recorded before it starts, so that none runs twice.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, GatedProcess, Logger } from '../../platform/index.ts'
import type { Container, Device } from '../protocol/container.ts'
import type { MasterInfo, StartContainer } from '../protocol/messages.ts'
import { createLogShipper, type LogShipper } from './log-shipper.ts'
import type { AgentOptions } from './options.ts'
import {
  endReport,
  exitCodeOf,
  failure,
  failureOf,
  hasBegun,
  isRunning,
  readTask,
  reattachAck,
  type Send,
  signalTask,
  startTask,
  stateReport,
  type TaskRecord,
  type Tasks,
  writeTask,
} from './task.ts'
import { caBundle, placeFiles, taskEnvironment, type WorkFolder } from './task-environment.ts'

export interface TasksContext {
  options: AgentOptions
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** The agent exits; its tasks keep running. */
  signal: AbortSignal
  devices: () => Promise<Device[]>
  folder: WorkFolder
}

interface Task {
  record: TaskRecord
  logs: LogShipper
  /** Resolves when the task ends; never for a task that an earlier agent started. */
  ended: Promise<unknown>
  /** The master does not know it: its end is not reported. */
  unwanted: boolean
  /** Its output is being sent, and then its end. */
  watched: boolean
}

const pollMs = 250
/** Number of ended tasks to keep, in case the report did not reach the master. */
const mostEnded = 100
const sigkill = 9

export function processTasks(context: TasksContext): Tasks {
  const { clock, folder, logger, signal } = context
  const tasks = new Map<string, Task>()
  const starting = new Map<string, Promise<void>>()
  let restored = false
  let master: MasterInfo | undefined
  let { options } = context
  let send: Send | undefined

  function add(record: TaskRecord, ended: Promise<unknown> = new Promise(() => {})): void {
    const { id } = record.container
    const logs = createLogShipper(id, folder.task(id), clock.now)
    const task = { record, logs, ended, unwanted: false, watched: false }
    tasks.set(id, task)
    watch(id, task)
  }

  function watch(id: string, task: Task): void {
    if (task.watched) return
    task.watched = true
    sendAll(id, task)
      .catch((error: unknown) => {
        if (!signal.aborted) logger.error('a task can no longer be watched', { container: id, error })
      })
      .finally(() => {
        task.watched = false
      })
  }

  /** Sends the output of a task and reports its end; both wait for a connection. */
  async function sendAll(id: string, task: Task): Promise<void> {
    for (;;) {
      const running = isRunning(task.record)
      if (!running && !task.record.ended) noteEnd(id, task)
      if (!running && task.unwanted) return forget(id)
      if (send && task.logs.ship(send, !running) && !running && report(task)) return
      const pause = clock.sleep(pollMs, signal)
      // The sleep may reject after the race is over.
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

  /** Not the end of a task whose output is still being sent: nothing that follows its end counts. */
  function reportNow(task: Task): void {
    if (!task.record.ended || !task.watched) report(task)
  }

  function report({ record: { container, ended } }: Task): boolean {
    const message = ended ? endReport(container, failureOf(ended)) : stateReport(container, 'RUNNING')
    return send?.(message) ?? false
  }

  async function restore(): Promise<void> {
    restored = true
    for (const id of folder.ids()) {
      const record = readTask(folder.task(id))
      // For the others no command ran: their shells exited when the agent did.
      if (record && (await hasBegun(folder.task(id), record, clock))) add(record)
      else folder.remove(id)
    }
  }

  async function begin(order: StartContainer): Promise<void> {
    const { Container: container } = order
    try {
      const { record, ended } = await beginTask(order, master!, { ...context, options })
      // Only after it runs: the master may repeat an order without a report.
      send?.(stateReport(container, 'STARTING'))
      // Before it is watched: it may end at once, and its end must not be reported first.
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
    async reattach(info, expected, keepOthers, dialled) {
      master = info
      options = dialled
      await Promise.all(starting.values())
      if (!restored) await restore()
      const wanted = new Map(expected.map((each) => [each.Container.id, each.OutputReceived]))
      const kept: Container[] = []
      for (const [id, task] of tasks) {
        const isOfCluster = task.record.clusterId === info.cluster_id
        if (wanted.has(id) && isOfCluster) {
          const received = wanted.get(id)
          if (received) task.logs.resumeAfter(received)
          if (!task.logs.isSent()) watch(id, task)
          continue
        }
        if (keepOthers && isOfCluster && !task.record.ended) {
          logger.warn('a task unknown to the master keeps running', { container: id })
          kept.push(task.record.container)
          continue
        }
        task.unwanted = true
        if (task.record.ended) forget(id)
        else logger.warn('killing a task unknown to the master', { container: id })
        signalTask(task.record, sigkill)
      }
      return [...expected.map(({ Container }) => Container), ...kept].map((container) =>
        ackFor(container, tasks.get(container.id)),
      )
    },
    online(sendNow) {
      send = sendNow
    },
    start(order) {
      const { id } = order.Container
      const known = tasks.get(id)
      if (known) reportNow(known)
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
        else if (task) reportNow(task)
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
  // Nothing that follows its end counts: the rest of its output comes first, and then its end.
  return ended && task.logs.isSent()
    ? reattachAck(container, 'TERMINATED', failureOf(ended))
    : reattachAck(container, 'RUNNING', null)
}

// Starts one task: creates its folder, files, environment and process, in this order, and undoes all if one fails.

export interface BegunTask {
  record: TaskRecord
  /** Resolves when its process ends. */
  ended: Promise<unknown>
}

/** Throws an error whose message says why the task cannot run. */
export async function beginTask(
  order: StartContainer,
  master: MasterInfo,
  context: Pick<TasksContext, 'options' | 'env' | 'devices' | 'folder'>,
): Promise<BegunTask> {
  const { Container: container, Spec: spec } = order
  const { Cmd: command, Env: given, WorkingDir: cwd } = spec.RunSpec.ContainerConfig
  const refusal = refusalOf(order, await context.devices())
  if (refusal) throw new Error(refusal)
  const folder = context.folder.make(container.id)
  let process: GatedProcess | undefined
  try {
    const files = placeFiles(spec.RunSpec.Archives, join(folder, 'files'))
    const workdir = files.get(cwd) ?? cwd
    if (workdir && !existsSync(workdir)) throw new Error(`the working directory ${cwd} does not exist`)
    const bundle = (certificate: string) => caBundle(certificate, context.folder.path, context.env)
    const env = taskEnvironment({ ...context, master, container, given, files, bundle })
    process = await startTask(folder, command, workdir || folder, env)
    const { pid, start } = process
    const record = { container, clusterId: master.cluster_id, process: { pid, start } }
    writeTask(folder, record)
    process.release()
    return { record, ended: process.ended }
  } catch (error) {
    process?.abandon()
    context.folder.remove(container.id)
    throw error
  }
}

function refusalOf(
  { Container: { devices }, Spec: { RunSpec } }: StartContainer,
  own: Device[],
): string | undefined {
  const { Cmd, Image } = RunSpec.ContainerConfig
  // A Determined master always names an image; the built-in master does only where the agents are Determined's.
  if (Image) return `this agent runs commands, not containers: image ${Image} needs the Determined agent`
  if (!Cmd[0]) return 'the start order has no command'
  const foreign = devices.find((device) => !own.some(({ id }) => id === device.id))
  return foreign && `device ${foreign.id} does not belong to this agent`
}
