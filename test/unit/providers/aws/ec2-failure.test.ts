// How each of EC2's errors is handled. The table is the specification; the provider's own must agree with it.
import { describe, expect, it } from 'vitest'
import type { FailureClass } from '../../../../src/planner/snapshot.ts'
import { ProvisionError, problem } from '../../../../src/problems/index.ts'
import { codeOf, ec2Failure, failureTable, refusal } from '../../../../src/providers/aws/errors.ts'

const expected: Record<FailureClass, string[]> = {
  capacity: [
    'InsufficientInstanceCapacity',
    'InsufficientHostCapacity',
    'InsufficientReservedInstanceCapacity',
    'InsufficientCapacity',
    'UnfulfillableCapacity',
    'Unsupported',
    'InsufficientFreeAddressesInSubnet',
    'SpotMaxPriceTooLow',
    'ReservationCapacityExceeded',
  ],
  quota: [
    'VcpuLimitExceeded',
    'InstanceLimitExceeded',
    'MaxSpotInstanceCountExceeded',
    'SpotInstanceCountExceeded',
    'MaxFleetCountExceeded',
    'VolumeLimitExceeded',
    'MaxIOPSLimitExceeded',
    'NetworkInterfaceLimitExceeded',
    'AddressLimitExceeded',
    'LaunchTemplateLimitExceeded',
    'PlacementGroupLimitExceeded',
    'PendingVerification',
  ],
  throttle: [
    'RequestLimitExceeded',
    'Throttling',
    'ThrottlingException',
    'ThrottledException',
    'RequestThrottled',
    'RequestThrottledException',
    'TooManyRequestsException',
    'EC2ThrottledException',
    'BandwidthLimitExceeded',
    'PriorRequestNotComplete',
    'SlowDown',
  ],
  auth: [
    'UnauthorizedOperation',
    'AccessDenied',
    'AccessDeniedException',
    'AuthFailure',
    'InvalidClientTokenId',
    'UnrecognizedClientException',
    'MissingAuthenticationToken',
    'IncompleteSignature',
    'SignatureDoesNotMatch',
    'RequestExpired',
    'ExpiredToken',
    'ExpiredTokenException',
    'CredentialsProviderError',
    'TokenProviderError',
    'AuthFailure.ServiceLinkedRoleCreationNotPermitted',
    'NotAuthorized',
    'AccountDisabled',
    'InvalidSignatureException',
    'RequestTimeTooSkewed',
    'ProfileWithoutCredentials',
    'Blocked',
  ],
  config: [
    'OptInRequired',
    'InvalidAMIID.NotFound',
    'InvalidAMIID.Malformed',
    'InvalidAMIID.Unavailable',
    'InvalidSubnetID.NotFound',
    'InvalidSubnet.Range',
    'InvalidGroup.NotFound',
    'InvalidGroupId',
    'InvalidCapacityReservationId.NotFound',
    'InvalidKeyPair.NotFound',
    'InvalidPlacementGroup.Unknown',
    'InvalidSnapshot.NotFound',
    'InvalidBlockDeviceMapping',
    'InvalidUserData.Malformed',
    'InvalidInstanceType',
    'VPCIdNotSpecified',
    'InvalidIAMInstanceProfileArn.Malformed',
    'OperationNotPermitted',
    'UnknownRegion',
  ],
  transient: [
    'InternalError',
    'InternalFailure',
    'ServiceUnavailable',
    'Unavailable',
    'RequestTimeout',
    'TimeoutError',
    'NotFromEc2',
    'ENOTFOUND',
    'EPROXY',
    'InvalidInstanceID.NotFound',
  ],
}

/** In the form that the SDK throws. */
function sdkError(name: string, httpStatusCode?: number, message = 'said so'): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode } })
}

describe('the table of EC2 codes', () => {
  const rows = Object.entries(expected).flatMap(([treated, codes]) =>
    codes.map((code) => [code, treated] as const),
  )

  it.each(rows)('%s is %s, whatever the HTTP status', (code, treated) => {
    for (const status of [400, 403, 500, 503])
      expect(ec2Failure(sdkError(code, status), 'x').class).toBe(treated)
    expect(refusal(code, '', 'x').class).toBe(treated)
  })

  it('has no row that this test unknown to this version', () => {
    expect(Object.keys(failureTable).sort()).toEqual(Object.values(expected).flat().sort())
  })
})

describe('a code that is not in the table', () => {
  it.each([
    ['SomethingLimitExceeded', 400, 'quota'],
    ['InvalidSomething.Malformed', 400, 'config'],
    ['MissingParameter', 400, 'config'],
    ['InvalidSomething', 503, 'transient'],
    ['Surprise', 400, 'config'],
    ['Surprise', 401, 'auth'],
    ['Surprise', 403, 'auth'],
    ['AuthFailure.Surprise', 400, 'auth'],
    ['RequestLimitExceeded.Surprise', 400, 'throttle'],
    ['VcpuLimitExceeded.Surprise', 400, 'quota'],
    ['Server.InsufficientInstanceCapacity', 400, 'capacity'],
    ['Client.InternalError', 400, 'transient'],
    ['ResourceCountExceeded', 400, 'quota'],
    ['KMSKeyNotAccessibleFault', 400, 'config'],
    ['Client.InvalidKMSKey.InvalidState', 400, 'config'],
    ['ECONNRESET', 200, 'transient'],
    ['EPROTO', 200, 'transient'],
    ['SyntaxError', 200, 'transient'],
    ['Error', 204, 'transient'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', undefined, 'transient'],
    ['Surprise', 429, 'throttle'],
    ['Surprise', 500, 'transient'],
    ['Unknown', 502, 'transient'],
    ['Surprise', undefined, 'transient'],
    ['toString', undefined, 'transient'],
  ] as const)('%s with HTTP %s is %s', (code, status, treated) => {
    expect(ec2Failure(sdkError(code, status), 'x').class).toBe(treated)
  })
})

describe('a refusal with an unknown code', () => {
  const problemFor = (code: string, status?: number) => ec2Failure(sdkError(code, status), 'x').problem

  it.each([400, 403, 404, 413])(
    'with HTTP %i is reported as unknown, with the page that lists codes',
    (status) => {
      const { message, remedy } = problemFor('Surprise', status)
      expect(message).toContain('unknown to this version')
      expect(remedy).toContain('up Surprise in https://docs.aws.amazon.com')
      expect(remedy).not.toMatch(/nothing to do/i)
    },
  )

  it.each(['Surprise', 'AccountOnHold', 'toString'])('%s is decided when it is in a response', (code) => {
    const found = refusal(code, 'why', 'launch')
    expect(found.class).toBe('config')
    expect(found.problem.message).toContain('unknown to this version')
  })

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
    ['CERT_HAS_EXPIRED', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_INVALID_URL', 'AWS_ENDPOINT_URL'],
    ['ENOTFOUND', 'DNS servers'],
    ['EPROXY', 'NO_PROXY'],
  ])('%s has a remedy: what does not pass by itself is not waited for', (code, words) => {
    expect(problemFor(code).remedy).toContain(words)
  })

  it.each(['ECONNRESET', 'ETIMEDOUT', 'EAI_AGAIN'])('%s is temporary', (code) => {
    expect(problemFor(code).remedy).toMatch(/^Wait: the call is repeated later/)
  })
})

describe('a missing service-linked role', () => {
  const code = 'AuthFailure.ServiceLinkedRoleCreationNotPermitted'

  it.each([
    ['the service-linked role for EC2 Spot Instances', 'spot.amazonaws.com'],
    ['the service-linked role for EC2 Fleet', 'ec2fleet.amazonaws.com'],
  ])('is told with the command that makes %s', (role, service) => {
    const message = `The provided credentials do not have permission to create ${role}.`
    for (const found of [ec2Failure(sdkError(code, 403, message), 'x'), refusal(code, message, 'x')]) {
      expect(found.class).toBe('auth')
      expect(found.problem.remedy).toContain(
        `\`aws iam create-service-linked-role --aws-service-name ${service}\``,
      )
      expect(found.problem.remedy).toContain('iam:CreateServiceLinkedRole')
    }
  })
})

it.each(['KMSKeyNotAccessible', 'Client.InvalidKMSKey.InvalidState', 'InvalidKMSKey.NotFound'])(
  '%s is about KMS',
  (code) => {
    expect(refusal(code, 'no', 'x').problem.remedy).toContain('kms:CreateGrant')
  },
)

describe('a failure', () => {
  it('names the failed action, its code and a remedy', () => {
    const error = sdkError('VcpuLimitExceeded', 400, 'You have requested more vCPU capacity.')
    expect(ec2Failure(error, 'launch g5.xlarge').problem).toMatchObject({
      code: 'PROVIDER_QUOTA',
      message: 'could not launch g5.xlarge: VcpuLimitExceeded: You have requested more vCPU capacity',
      remedy: expect.stringContaining('Service Quotas'),
      details: { code: 'VcpuLimitExceeded' },
      cause: error,
    })
  })

  it("of the network has the system's error code", () => {
    const refusedConnection = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    expect(codeOf(refusedConnection)).toBe('ECONNREFUSED')
    expect(ec2Failure(refusedConnection, 'x').class).toBe('transient')
    expect(ec2Failure('odd', 'x').class).toBe('transient')
  })

  it('of our own stays unchanged', () => {
    const ours = problem('REQUEST_TAGS_REFUSED', 'too many tags')
    expect(ec2Failure(new ProvisionError(ours), 'x')).toEqual({ class: 'config', problem: ours })
  })

  it('of permission names the action, and keeps the encoded reason out of the message', () => {
    const message =
      'You are not authorized to perform: ec2:CreateFleet on resource: arn:x because no policy allows it. Encoded authorization failure message: c2VjcmV0'
    const found = ec2Failure(sdkError('UnauthorizedOperation', 403, message), 'launch').problem
    expect(found.message).toBe(
      'could not launch: UnauthorizedOperation: You are not authorized to perform: ec2:CreateFleet on resource: arn:x because no policy allows it',
    )
    expect(found.remedy).toBe(
      'Allow ec2:CreateFleet in the IAM policy of the provisioner. `aws sts decode-authorization-message --encoded-message c2VjcmV0` shows the reason.',
    )
    expect(found.details).toEqual({ code: 'UnauthorizedOperation', action: 'ec2:CreateFleet' })
  })
})
