// What EC2 or its SDK said, as a problem of ours with its class.
import { type Failure, type FailureRow, failureFrom, ownFailure } from '../failure.ts'

/** `doing` completes "could not …", such as `launch 3 g5.xlarge`. */
export function ec2Failure(error: unknown, doing: string): Failure {
  const own = ownFailure(error)
  if (own) return own
  const { code, status, message } = read(error)
  return refusal(code, message, doing, { status, cause: error })
}

/** The same for the errors that come inside an answer, as a fleet's do. */
export function refusal(
  code: string,
  message: string,
  doing: string,
  { status, cause }: { status?: number | undefined; cause?: unknown } = {},
): Failure {
  const row = rowOf(code, status)
  const { text, action, encoded } = authorization(message)
  const remedy = remedyOf(row.remedy, action, encoded)
  const details = action ? { action } : {}
  return failureFrom({ ...row, remedy }, doing, { code, message: text, details, cause })
}

/** The EC2 error code, or the name the SDK or the operating system gives the error. */
export function codeOf(error: unknown): string {
  return read(error).code
}

interface SdkError extends Error {
  code?: unknown
  $metadata?: { httpStatusCode?: number }
}

function read(error: unknown): { code: string; status: number | undefined; message: string } {
  if (!(error instanceof Error)) return { code: 'Error', status: undefined, message: String(error) }
  const { name, code, message, $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode
  // A gateway's page instead of EC2's XML, which the SDK makes nothing of.
  if (name === 'Unknown') return { code: `HTTP ${status}`, status, message: 'the answer is not from EC2' }
  // Refused connections are plain Errors with errno's name.
  const known = name === 'Error' && typeof code === 'string' ? code : name
  return { code: known, status, message: message || known }
}

/**
 * The action that is not allowed, from the sentence AWS writes; the encoded reason is cut out, because it is a screenful
 * that only AWS can read (https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html).
 */
function authorization(message: string): { text: string; action?: string; encoded?: string } {
  const encoded = /Encoded authorization failure message:\s*(\S+)/.exec(message)?.[1]
  const action = /\b(?:perform|performing):?\s+([a-z0-9-]+:[A-Za-z]+)/.exec(message)?.[1]
  const text = message
    .replace(/\s*Encoded authorization failure message:\s*\S+\s*/, ' ')
    .trim()
    .replace(/\.$/, '')
  return { text, ...(action ? { action } : {}), ...(encoded ? { encoded } : {}) }
}

function remedyOf(remedy: string | undefined, action: string | undefined, encoded: string | undefined) {
  const allow = action ? `Allow ${action} in the IAM policy of the provisioner.` : remedy
  return encoded
    ? `${allow ?? ''} \`aws sts decode-authorization-message --encoded-message ${encoded}\` says why.`.trim()
    : allow
}

const otherOfferings =
  'Name more instance_types or subnet_ids, or allow on-demand VMs where only spot is asked for.'
const clock = "set this machine's clock; AWS refuses requests that are minutes off."

function quota(name: string): FailureRow {
  return { class: 'quota', remedy: `Raise the quota "${name}" in Service Quotas, or lower max_instances.` }
}

function config(remedy: string): FailureRow {
  return { class: 'config', remedy }
}

function capacity(remedy = otherOfferings): FailureRow {
  return { class: 'capacity', remedy }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
export const failureTable: Record<string, FailureRow> = {
  InsufficientInstanceCapacity: capacity(),
  InsufficientHostCapacity: capacity(),
  InsufficientReservedInstanceCapacity: capacity(),
  InsufficientCapacity: capacity(),
  UnfulfillableCapacity: capacity(),
  // Remembered like a stock-out, so that the pool's other offerings are used meanwhile.
  Unsupported: capacity('Take this instance type or subnet out: the zone does not offer the type.'),
  InsufficientFreeAddressesInSubnet: capacity('Use a larger subnet, or name more subnet_ids.'),
  SpotMaxPriceTooLow: capacity('Raise spot.max_price, leave it out, or set spot.fallback: on_demand.'),
  ReservationCapacityExceeded: capacity(),

  VcpuLimitExceeded: quota('Running On-Demand instances (of this instance family)'),
  InstanceLimitExceeded: quota('Running On-Demand instances (of this instance family)'),
  MaxSpotInstanceCountExceeded: quota('All Spot Instance Requests (of this instance family)'),
  SpotInstanceCountExceeded: quota('All Spot Instance Requests (of this instance family)'),
  MaxFleetCountExceeded: quota('Active EC2 Fleets and Spot Fleets'),
  VolumeLimitExceeded: quota('Storage for EBS volumes of this type'),
  MaxIOPSLimitExceeded: quota('IOPS for EBS volumes of this type'),
  NetworkInterfaceLimitExceeded: quota('Network interfaces per Region'),
  AddressLimitExceeded: quota('EC2-VPC Elastic IPs'),
  LaunchTemplateLimitExceeded: quota('Launch templates'),
  PendingVerification: {
    class: 'quota',
    remedy: 'AWS checks new accounts first; wait for its mail, or open a support case.',
  },

  RequestLimitExceeded: { class: 'throttle' },
  Throttling: { class: 'throttle' },
  ThrottlingException: { class: 'throttle' },
  ThrottledException: { class: 'throttle' },
  RequestThrottled: { class: 'throttle' },
  RequestThrottledException: { class: 'throttle' },
  TooManyRequestsException: { class: 'throttle' },
  EC2ThrottledException: { class: 'throttle' },
  BandwidthLimitExceeded: { class: 'throttle' },
  PriorRequestNotComplete: { class: 'throttle' },
  SlowDown: { class: 'throttle' },

  UnauthorizedOperation: { class: 'auth', remedy: 'Allow the action in the IAM policy of the provisioner.' },
  AccessDenied: { class: 'auth', remedy: 'Allow the action in the IAM policy of the provisioner.' },
  AccessDeniedException: { class: 'auth', remedy: 'Allow the action in the IAM policy of the provisioner.' },
  AuthFailure: {
    class: 'auth',
    remedy: 'Check the access key; its account may be closed, or the key disabled.',
  },
  InvalidClientTokenId: { class: 'auth', remedy: 'Check the access key: AWS does not know it.' },
  UnrecognizedClientException: { class: 'auth', remedy: 'Check the access key: AWS does not know it.' },
  MissingAuthenticationToken: { class: 'auth' },
  IncompleteSignature: { class: 'auth' },
  SignatureDoesNotMatch: { class: 'auth', remedy: `Check the secret key. If it is right: ${clock}` },
  RequestExpired: { class: 'auth', remedy: `Renew the session credentials. If they are fresh: ${clock}` },
  ExpiredToken: { class: 'auth', remedy: 'Renew the session credentials.' },
  ExpiredTokenException: { class: 'auth', remedy: 'Renew the session credentials.' },
  CredentialsProviderError: {
    class: 'auth',
    remedy: 'Give AWS credentials: environment variables, a profile, or the role of the VM this runs on.',
  },
  TokenProviderError: { class: 'auth', remedy: 'Sign in again: `aws sso login`.' },
  Blocked: { class: 'auth', remedy: 'AWS has blocked this account; contact AWS support.' },
  OptInRequired: config('Accept the terms of the image in AWS Marketplace, or subscribe the account to EC2.'),

  'InvalidAMIID.NotFound': config("Name an image of the pool's region that the account may use."),
  'InvalidAMIID.Malformed': config('Name the image as ami- and 8 or 17 hexadecimal digits.'),
  'InvalidAMIID.Unavailable': config('Wait until the image is available, or name another.'),
  'InvalidSubnetID.NotFound': config("Name subnets of the pool's region and account."),
  'InvalidSubnet.Range': config("Name subnets of the pool's region and account."),
  'InvalidGroup.NotFound': config("Name a security group of the subnet's VPC."),
  InvalidGroupId: config("Name a security group of the subnet's VPC."),
  'InvalidKeyPair.NotFound': config("Create the key pair in the pool's region, or leave ssh_key_name out."),
  'InvalidSnapshot.NotFound': config(
    'Name another image: its snapshot is gone or not shared with the account.',
  ),
  InvalidBlockDeviceMapping: config("Make the volume at least as large as the image's snapshot."),
  'InvalidUserData.Malformed': config('Shorten the startup scripts: EC2 takes 16,384 bytes of user data.'),
  InvalidInstanceType: config('Correct the instance type; EC2 does not know it.'),
  VPCIdNotSpecified: config('Name subnet_ids: the account has no default VPC in this region.'),
  'InvalidIAMInstanceProfileArn.Malformed': config('Correct iam_instance_profile_arn.'),
  OperationNotPermitted: config('Turn off the termination protection of the VM, or end it by hand.'),

  InternalError: { class: 'transient' },
  InternalFailure: { class: 'transient' },
  ServiceUnavailable: { class: 'transient' },
  Unavailable: { class: 'transient' },
  RequestTimeout: { class: 'transient' },
  TimeoutError: { class: 'transient' },
  NotFromEc2: {
    class: 'transient',
    remedy:
      'Look at what is between this machine and EC2: a proxy, a portal that wants a sign-in, AWS_ENDPOINT_URL. The call is repeated.',
  },
  'InvalidInstanceID.NotFound': { class: 'transient', remedy: 'Nothing to do: EC2 shows new VMs late.' },
}

/** For codes the table does not name: a rule by shape, then the HTTP status. */
function rowOf(code: string, status: number | undefined): FailureRow {
  const known = Object.hasOwn(failureTable, code) ? failureTable[code] : undefined
  if (known) return known
  if (/LimitExceeded$|QuotaExceeded/.test(code)) return { class: 'quota' }
  if (status !== undefined && status >= 500) return { class: 'transient' }
  if (status === 429) return { class: 'throttle' }
  if (/^(?:Invalid|Malformed|Missing|UnknownParameter|Unsupported|Incorrect)/.test(code))
    return { class: 'config' }
  return status === undefined ? { class: 'transient' } : { class: 'config' }
}
