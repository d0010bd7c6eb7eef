// A trace: jobs as somebody's cluster got them, or would get them.

/** One piece of work, as the file has it. */
export interface TraceJob {
  /** The file's, else `line-N`. */
  id: string
  /** Milliseconds since the first submission of the trace. */
  at: number
  /** 0: auxiliary work. */
  slots: number
  /** Milliseconds it runs once it has its agents. */
  duration: number
  job?: string
  maxSlots?: number
}

export interface Trace {
  /** In order of submission. */
  jobs: TraceJob[]
  /** Milliseconds since the epoch of the first submission, where the file tells dates. */
  beginsAt?: number
}
