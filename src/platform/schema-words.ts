// Messages for zod's issues with the body of a request: zod's mini edition has none.

/** The parts of zod's issues that are used. */
interface Issue {
  code?: string
  path: PropertyKey[]
  message: string
  expected?: string
  keys?: string[]
  origin?: string
  minimum?: number | bigint
  maximum?: number | bigint
}

const types: Record<string, string> = {
  string: 'a string',
  int: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
}

/** The message of the first issue, such as `agents.0.slots must be an integer`; `whole` names the value that was read. */
export function firstWrong(issues: readonly Issue[], whole: string): string {
  const [issue] = issues
  if (!issue) return `${whole} is not as expected`
  return `${issue.path.join('.') || whole} ${messageOf(issue)}`
}

function messageOf({ code, message, expected = '', keys = [], origin, minimum, maximum }: Issue): string {
  const unit = origin === 'string' ? ' characters long' : origin === 'array' ? ' items long' : ''
  switch (code) {
    case 'invalid_type':
      return `must be ${types[expected] ?? expected}`
    case 'unrecognized_keys':
      return `has an unknown field: ${keys.join(', ').slice(0, 100)}`
    case 'too_small':
      return `must be at least ${minimum}${unit}`
    case 'too_big':
      return `must be at most ${maximum}${unit}`
    default:
      return message
  }
}
