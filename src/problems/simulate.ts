// Codes of `provision simulate`: what can be wrong with a trace of jobs.
import type { CodeInfo } from './code-info.ts'

export const simulateCodes = {
  TRACE_UNREADABLE: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace of jobs cannot be read.',
    remedy: 'Name a file with --jobs, or `-` for standard input.',
  },
  TRACE_TOO_LARGE: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace is larger than what is simulated in one piece.',
    remedy: 'Simulate a part of it: a day or a week tells as much.',
  },
  TRACE_NOT_CSV: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace is not CSV text: not UTF-8, or a quote that is opened or closed in the wrong place.',
    remedy: 'Save it as CSV in UTF-8; `provision simulate --example` prints one.',
  },
  TRACE_HEADER: {
    severity: 'error',
    exit: 2,
    meaning: 'The first line of the trace does not name the columns as it should.',
    remedy: 'Begin with `submit,slots,duration`; `id`, `job` and `max_slots` may follow.',
  },
  TRACE_EMPTY: {
    severity: 'error',
    exit: 2,
    meaning: 'The trace holds no job.',
    remedy: 'Give it one line per job below the header; `provision simulate --example` prints one.',
  },
  TRACE_ROW: {
    severity: 'error',
    exit: 2,
    meaning: 'A line of the trace has more or fewer fields than its header.',
    remedy: 'Give each line one field per column; quote a field that holds a comma.',
  },
  TRACE_VALUE: {
    severity: 'error',
    exit: 2,
    meaning: 'A field of the trace is not what its column holds.',
    remedy: 'See docs/simulate.md for what each column holds.',
  },
  TRACE_TOO_MANY_PROBLEMS: {
    severity: 'error',
    exit: 2,
    meaning: 'So much is wrong with the trace that the rest of it was not looked at.',
    remedy: 'Correct what is named above; it is often one mistake in every line.',
  },
} as const satisfies Record<string, CodeInfo>
