import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { firstWrong } from '../../../src/platform/schema-words.ts'

const schema = z.strictObject({
  name: z.string().check(z.minLength(1), z.maxLength(3)),
  list: z.array(z.int().check(z.gte(0), z.lte(9))).check(z.minLength(1)),
  flag: z.optional(z.boolean()),
})

const good = { name: 'a', list: [1] }

describe('the message for an invalid body', () => {
  it.each([
    [7, 'the body must be an object'],
    [{ ...good, name: 1 }, 'name must be a string'],
    [{ ...good, name: '' }, 'name must be at least 1 characters long'],
    [{ ...good, name: 'abcd' }, 'name must be at most 3 characters long'],
    [{ ...good, list: {} }, 'list must be a list'],
    [{ ...good, list: [] }, 'list must be at least 1 items long'],
    [{ ...good, list: [1, -1] }, 'list.1 must be at least 0'],
    [{ ...good, list: [10] }, 'list.0 must be at most 9'],
    [{ ...good, list: [0.5] }, 'list.0 must be an integer'],
    [{ ...good, flag: 'yes' }, 'flag must be true or false'],
    [{ ...good, more: 1, most: 2 }, 'the body has an unknown field: more, most'],
    [{ list: [1] }, 'name must be a string'],
  ])('%j: %s', (body, message) => {
    const parsed = schema.safeParse(body)
    expect(firstWrong(parsed.error!.issues, 'the body')).toBe(message)
  })
})
