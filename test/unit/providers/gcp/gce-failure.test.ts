// All of Google's refusals, at once or inside an operation, in our classes.
import { describe, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../../src/problems/index.ts'
import {
  errorOfAnswer,
  GceError,
  gceFailure,
  isNotFound,
  refusal,
} from '../../../../src/providers/gcp/errors.ts'

const answer = (status: number, reason: string, message = 'why', headers = {}) =>
  errorOfAnswer({
    status,
    headers: new Headers(headers),
    text: JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }),
    host: 'compute.googleapis.com',
  })

describe('an answer', () => {
  it.each([
    [403, 'quotaExceeded', "Quota 'CPUS' exceeded.  Limit: 24.0 in region us-central1.", 'quota'],
    [403, 'rateLimitExceeded', 'Rate Limit Exceeded', 'throttle'],
    [
      403,
      'rateLimitExceeded',
      "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'",
      'throttle',
    ],
    [429, 'somethingNew', 'Slow down', 'throttle'],
    [429, 'RESOURCE_EXHAUSTED', "Quota 'Queries' exceeded", 'throttle'],
    [
      403,
      'quotaExceeded',
      "Quota exceeded for quota metric 'Queries', limit 'Queries per minute'",
      'throttle',
    ],
    [403, 'forbidden', "Required 'compute.instances.create' permission", 'auth'],
    [401, 'somethingNew', 'Invalid Credentials', 'auth'],
    [403, 'accessNotConfigured', 'Compute Engine API has not been used', 'auth'],
    [400, 'invalid', "Invalid value for field 'resource.machineType'", 'config'],
    [404, 'notFound', "The resource 'projects/p/global/images/x' was not found", 'config'],
    [400, 'somethingNew', 'Nonsense', 'config'],
    [503, 'somethingNew', 'Try later', 'transient'],
    [500, 'backendError', 'Oops', 'transient'],
    [503, 'ZONE_RESOURCE_POOL_EXHAUSTED', 'stock', 'capacity'],
    [
      400,
      'somethingNew',
      "The zone 'projects/p/zones/z' does not have enough resources available",
      'capacity',
    ],
  ])('%i %s: %s is %s', (status, reason, message, kind) => {
    const failure = gceFailure(answer(status, reason, message), 'launch a VM')
    expect(failure.class).toBe(kind)
    expect(failure.problem.message).toBe(`could not launch a VM: ${reason}: ${message}`)
    expect(failure.problem.remedy).toMatch(/\w/)
  })

  it.each([
    [502, '<html>Bad Gateway</html>', 'an HTML page'],
    [404, '<!DOCTYPE html><title>Not found</title>', 'an HTML page'],
    [403, '', 'an empty body'],
    [409, 'no', 'a body that is not JSON'],
    [400, '{"error":"bad"}', 'JSON without a known kind'],
    [400, '[]', 'JSON that is not an object'],
  ])("%i that is not Google's is transient, and said to be what it is: %s", (status, text, content) => {
    const error = errorOfAnswer({ status, headers: new Headers(), text, host: 'proxy.example.com' })
    const { class: kind, problem } = gceFailure(error, 'ask')
    expect(kind).toBe('transient')
    expect(problem.message).toContain(`proxy.example.com answered HTTP ${status} with ${content}`)
    expect(isNotFound(error)).toBe(false)
  })

  it("that nothing exists proves it only when it is Google's", () => {
    expect(isNotFound(answer(404, 'notFound'))).toBe(true)
  })

  it('may contain how long to wait', () => {
    expect(answer(429, 'rateLimitExceeded', 'why', { 'retry-after': '7' }).retryAfterMs).toBe(7000)
    expect(answer(429, 'rateLimitExceeded').retryAfterMs).toBeUndefined()
  })
})

describe('an error inside an operation', () => {
  it.each([
    ['ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS', 'capacity'],
    ['VM_MIN_COUNT_NOT_REACHED', 'capacity'],
    ['IP_SPACE_EXHAUSTED_WITH_DETAILS', 'capacity'],
    ['QUOTA_EXCEEDED', 'quota'],
    ['RESOURCE_OPERATION_RATE_EXCEEDED', 'throttle'],
    ['PERMISSIONS_ERROR', 'auth'],
    ['RESOURCE_NOT_FOUND', 'config'],
    ['INTERNAL_ERROR', 'transient'],
    ['SOMETHING_NEW', 'transient'],
  ])('%s has the class it would have as an answer: %s', (code, kind) => {
    expect(refusal(code, 'why', 'launch a VM').class).toBe(kind)
  })
})

describe('an error on the way', () => {
  it("is found inside the client's error", () => {
    const wrapped = new Error('14 UNAVAILABLE', {
      cause: new Error('again', { cause: new GceError('credentials', 'none') }),
    })
    expect(gceFailure(wrapped, 'ask')).toMatchObject({
      class: 'auth',
      problem: { details: { code: 'credentials' } },
    })
  })

  it('is temporary when it is unknown', () => {
    expect(gceFailure(new TypeError('x is not a function'), 'ask').class).toBe('transient')
  })

  it('of our own stays unchanged', () => {
    const ours = problem('PROVIDER_CONFIG', 'wrong')
    expect(gceFailure(new ProvisionError(ours), 'ask')).toEqual({ class: 'config', problem: ours })
  })
})
