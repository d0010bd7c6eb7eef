// agent_config_file_contents: a mapping, or a text that holds one as YAML or JSON.
import { type Block, given, isAbsent, isMapping, note } from './reading.ts'
import { readYaml } from './yaml.ts'

const agentConfigKey = 'agent_config_file_contents'

/**
 * As a mapping in both cases: the origin hands a text on as a quoted text, which no agent can read
 * (origin: provconfig/config.go, aws.go). `value` is what was read; undefined after a problem was noted.
 */
export function agentConfigOf(
  value: string | object | undefined,
  block: Block,
): Record<string, unknown> | undefined {
  if (typeof value === 'string') return fromText(value, block)
  if (isMapping(value)) return value
  return given(block, agentConfigKey) ? undefined : {}
}

function fromText(text: string, block: Block): Record<string, unknown> | undefined {
  const { value, problems } = readYaml(text, agentConfigKey)
  const fault = problems.find(({ severity }) => severity === 'error')
  if (fault)
    return note(
      block,
      'CONFIG_BAD_VALUE',
      `The text in ${agentConfigKey}, line ${fault.where?.line}: ${fault.message}`,
      {
        key: agentConfigKey,
        remedy: `${fault.remedy} Written as a mapping instead of a text, its errors are shown in place.`,
      },
    )
  if (isAbsent(value)) return {}
  if (isMapping(value)) return value
  return note(block, 'CONFIG_BAD_VALUE', `The text in ${agentConfigKey} holds no mapping`, {
    key: agentConfigKey,
    remedy: 'Write the keys of agent.yaml below it, indented.',
  })
}
