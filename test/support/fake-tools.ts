// Fakes of the commands that a startup script calls: each records its call, then behaves as the test
// wants.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Call {
  tool: string
  args: string[]
}

/** Bash code by tool: `$1` and so on are the arguments; exit status and output are those of the tool. `undefined`: not on the VM. */
export type ToolBehaviour = Record<string, string | undefined>

/** All other commands of the scripts: a machine image must have them. The last line is for packed scripts on GCE. */
const needed = [
  ...[
    'bash',
    'cat',
    'chmod',
    'date',
    'env',
    'grep',
    'ln',
    'mkdir',
    'mv',
    'readlink',
    'rm',
    'rmdir',
    'sed',
    'sha256sum',
    'sync',
  ],
  ...['tail', 'tee', 'wc'],
  ...['base64', 'gunzip', 'gzip', 'mktemp'],
]

/** A VM on which every step succeeds, with short pauses. */
const healthy: ToolBehaviour = {
  sleep: 'exec "$REAL_SLEEP" 0.05',
  timeout: 'shift && exec "$@"',
  setsid: 'exec "$@"',
  docker: `
case $1 in
  image) exit 1 ;;
  run)
    while [ $# -gt 0 ]; do
      if [ "$1" = --cidfile ]; then echo c0ffee >"$2"; fi
      shift
    done
    echo c0ffee ;;
  inspect)
    case $3 in
      *Pid*) cat "$FAKES/agent-pid" 2>/dev/null || echo 0 ;;
      *) echo true 0 ;;
    esac ;;
esac`,
  curl: `
case "$*" in
  *api/token*) echo secret-token ;;
  *meta-data/instance-id*) printf i-0123456789abcdef0 ;;
  *computeMetadata/v1/instance/name*) printf det-agent-1 ;;
  *) exit 7 ;;
esac`,
  openssl: `echo 'verify return:1'`,
}

export interface FakeTools {
  /** The folder for files of the behaviours: `$FAKES`. */
  folder: string
  /** A PATH with only the fakes and the needed tools. */
  path: string
  /** In the order of their start. */
  calls(tool?: string): Call[]
}

/** Writes the fakes into `folder`. */
export function writeFakeTools(folder: string, behaviour: ToolBehaviour, realPath: string): FakeTools {
  const [log, real] = [join(folder, 'calls'), join(folder, 'real')]
  for (const directory of [log, real]) mkdirSync(directory, { recursive: true })
  for (const tool of [...needed, 'sleep']) symlinkSync(findTool(tool, realPath), join(real, tool))
  for (const [tool, code] of Object.entries({ ...healthy, ...behaviour })) {
    const settings = `FAKES='${folder}' REAL_SLEEP='${real}/sleep'`
    if (code !== undefined) writeTool(join(folder, tool), `${settings}\n${recording(tool)}\n${code}`)
  }
  return {
    folder,
    path: `${folder}${delimiter}${real}`,
    calls: (tool) => readCalls(log).filter((call) => tool === undefined || call.tool === tool),
  }
}

function findTool(tool: string, path: string): string {
  const found = path
    .split(delimiter)
    .map((directory) => join(directory, tool))
    .find(existsSync)
  if (!found) throw new Error(`${tool} is not on the PATH of the tests`)
  return found
}

/** An executable that records its call beside the other fakes. */
export function writeTool(file: string, code: string): void {
  writeFileSync(file, `#!/bin/bash\n${code}\n`)
  chmodSync(file, 0o755)
}

/** The tool and its arguments, each ended by NUL, in a separate file, because calls run concurrently. */
export function recording(tool: string): string {
  return `printf '%s\\0' ${tool} "$@" >"$FAKES/calls/$$"`
}

function readCalls(log: string): Call[] {
  return readdirSync(log)
    .map((file) => ({ file: join(log, file), at: statSync(join(log, file), { bigint: true }).mtimeNs }))
    .sort((a, b) => Number(a.at - b.at))
    .map(({ file }) => {
      const [tool = '', ...args] = readFileSync(file, 'utf8').split('\0').slice(0, -1)
      return { tool, args }
    })
}
