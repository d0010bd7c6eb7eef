// Filters like EC2's: all must match, one value each, `*` and `?` are wildcards unless escaped.
import { at, Ec2Error, objectsOf, type Params, textsOf } from './query.ts'

interface Filterable {
  tags: Record<string, string>
  /** By filter name. */
  values: Record<string, string | undefined>
}

export function matching<T>(all: T[], params: Params, view: (one: T) => Filterable): T[] {
  const filters = objectsOf(params['Filter']).map((filter) => {
    const values = textsOf(filter['Value'])
    if (values.length > 200) throw new Ec2Error('FilterLimitExceeded', 'a filter has at most 200 values')
    return { name: at(filter, 'Name') ?? '', tests: values.map(test) }
  })
  return all.filter((one) => {
    const { tags, values } = view(one)
    return filters.every(({ name, tests }) => {
      const value = name.startsWith('tag:') ? tags[name.slice(4)] : known(values, name)
      return value !== undefined && tests.some((matches) => matches(value))
    })
  })
}

function known(values: Record<string, string | undefined>, name: string): string | undefined {
  if (!(name in values)) throw new Ec2Error('InvalidParameterValue', `The filter '${name}' is invalid`)
  return values[name]
}

function test(pattern: string): (value: string) => boolean {
  if (!/[\\*?]/.test(pattern)) return (value) => value === pattern
  const source = pattern.replace(/\\(.)|[\s\S]/g, (part: string, escaped?: string) => {
    if (escaped === undefined && part === '*') return '[\\s\\S]*'
    if (escaped === undefined && part === '?') return '[\\s\\S]'
    return (escaped ?? part).replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
  })
  const whole = new RegExp(`^${source}$`)
  return (value) => whole.test(value)
}
