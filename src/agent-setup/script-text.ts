// Users' scripts as they must be to run on a VM, and agent.yaml as every YAML reader takes it.
import type { AgentConfig } from './setup.ts'

/**
 * LF line ends, no byte order mark, `#!` on the first line: with CRLF the kernel looks for an interpreter named
 * `bash\r`, and before a byte order mark or a blank line it sees no `#!` at all.
 */
export function normalizeScript(text: string): string {
  const lines = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const trimmed = lines.replace(/^\s+(?=#!)/, '')
  let end = trimmed.length
  while (trimmed[end - 1] === '\n') end--
  return trimmed.trim() === '' ? '' : `${trimmed.slice(0, end)}\n`
}

/** JSON is YAML but for the characters YAML does not print or takes for line ends (YAML 1.1 §4.1, 1.2 §5.1): escaped. */
export function agentYaml(config: AgentConfig): string {
  const json = JSON.stringify(config, undefined, 2)
  return `${json.replace(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g, escapeUnit)}\n`
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
