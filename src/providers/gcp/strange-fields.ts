// Fields of `base_config`, at any depth, that Compute Engine's API does not have: its client drops them without a word.
import { type Problem, problem } from '../../problems/problem.ts'
import type { Namespace } from './prune-descriptors.ts'

/** All of them in one problem; none when every field is known. */
export function strangeFields(baseConfig: object, messages: Namespace): Problem[] {
  const found = within(baseConfig, 'InstanceProperties', 'base_config', messages)
  if (!found.length) return []
  const verb = found.length > 1 ? 'are no fields' : 'is no field'
  return [problem('REQUEST_BASE_CONFIG', `${found.join(', ')} ${verb} of Compute Engine's API`)]
}

function within(value: unknown, type: string, path: string, messages: Namespace): string[] {
  const message = messages[type.split('.').at(-1) ?? type]
  if (typeof value !== 'object' || value === null || !message || !('fields' in message)) return []
  if (Array.isArray(value))
    return value.flatMap((one, index) => within(one, type, `${path}.${index}`, messages))
  return Object.entries(value).flatMap(([name, content]) => {
    const field = message.fields?.[name]
    const at = `${path}.${name}`
    if (!field) return [at]
    if (!field.keyType) return within(content, field.type, at, messages)
    return Object.entries(content ?? {}).flatMap(([key, one]) =>
      within(one, field.type, `${at}.${key}`, messages),
    )
  })
}
