// Converts errors of EC2 and its SDK to problems with a class.
import { proxyErrorCode } from '../../platform/index.ts'
import { type Failure, type FailureRow, failureFrom, ownFailure, proxyRemedy } from '../failure.ts'

/** `doing` completes "could not …", such as `launch 3 g5.xlarge`. */
export function ec2Failure(error: unknown, doing: string): Failure {
  const own = ownFailure(error)
  if (own) return own
  return failureOf(read(error), doing, { cause: error })
}

/** The same for errors inside a response, as in a fleet's: EC2 has decided, whatever the code. */
export function refusal(code: string, message: string, doing: string): Failure {
  return failureOf({ code, message, status: undefined }, doing, { inAnswer: true })
}

interface Heard {
  code: string
  message: string
  /** The HTTP status; undefined when there was no response. */
  status: number | undefined
}

function failureOf(
  { code, message, status }: Heard,
  doing: string,
  { inAnswer = false, cause }: { inAnswer?: boolean; cause?: unknown } = {},
): Failure {
  const row = knownRow(code) ?? (inAnswer ? refusedRow(code, 400) : rowByStatus(code, status))
  const { text, action, encoded } = authorization(message)
  const remedy = remedyOf(row.remedy, action, encoded)?.replace(spotService, serviceIn(message))
  const details = action ? { action } : {}
  const said = row.unknown ? `${text} (an error code unknown to this version)` : text
  return failureFrom({ class: row.class, remedy }, doing, { code, message: said, details, cause })
}

/** Whether the error is about one capacity type only, without being a lack of capacity: another one may succeed. */
export function isAboutCapacityType({ problem: { details } }: Failure): boolean {
  return knownRow(String(details?.['code']))?.capacityTypeOnly === true
}

/** The EC2 error code, or the name the SDK or the operating system gives the error. */
export function codeOf(error: unknown): string {
  return read(error).code
}

interface SdkError extends Error {
  code?: unknown
  $metadata?: { httpStatusCode?: number }
}

function read(error: unknown): Heard {
  if (!(error instanceof Error)) return { code: 'Error', status: undefined, message: String(error) }
  const { name, code, message, $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode
  // A gateway's page instead of EC2's XML, which the SDK cannot read.
  if (name === 'Unknown') return { code: `HTTP ${status}`, status, message: 'the answer is not from EC2' }
  // A refused connection is a plain Error with an errno code.
  const known = name === 'Error' && typeof code === 'string' ? code : name
  return { code: known, status, message: message || known }
}

/**
 * The action that is not allowed, from AWS's message. The encoded reason is removed: it fills a screen, and only AWS can
 * decode it (https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html).
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
    ? `${allow ?? ''} \`aws sts decode-authorization-message --encoded-message ${encoded}\` shows the reason.`.trim()
    : allow
}

interface Ec2Row extends FailureRow {
  /** Spot capacity or fleets are refused; other capacity types may work. */
  capacityTypeOnly?: true
  /** The code is not in the table. */
  unknown?: true
}

const spotService = 'spot.amazonaws.com'

/** The service whose service-linked role is missing, taken from AWS's message. */
function serviceIn(message: string): string {
  return /\bfleet/i.test(message) && !/\bspot/i.test(message) ? 'ec2fleet.amazonaws.com' : spotService
}

const otherOfferings =
  'Add instance_types or subnet_ids, or allow on-demand instances where only spot is requested.'
const clock = "set this machine's clock; AWS rejects requests with a clock that is minutes off."

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
export const failureTable: Record<string, Ec2Row> = {
  InsufficientInstanceCapacity: capacity(),
  InsufficientHostCapacity: capacity(),
  InsufficientReservedInstanceCapacity: capacity(),
  InsufficientCapacity: capacity(),
  UnfulfillableCapacity: capacity(),
  // Treated like insufficient capacity, so that the pool's other offerings are used in the meantime.
  Unsupported: capacity('Remove this instance type or subnet: the zone does not offer the type.'),
  InsufficientFreeAddressesInSubnet: capacity('Use a larger subnet, or add subnet_ids.'),
  SpotMaxPriceTooLow: capacity('Raise spot.max_price, remove it, or set spot.fallback: on_demand.'),
  ReservationCapacityExceeded: capacity(
    'The reservation is full, or is for another instance type or zone: `provision check` shows which.',
  ),

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
    remedy: 'AWS checks new accounts first; wait for its email, or open a support case.',
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
  'AuthFailure.ServiceLinkedRoleCreationNotPermitted': {
    class: 'auth',
    capacityTypeOnly: true,
    remedy: `Run \`aws iam create-service-linked-role --aws-service-name ${spotService}\` once in this account, or allow iam:CreateServiceLinkedRole in the IAM policy of the provisioner.`,
  },
  NotAuthorized: { class: 'auth', remedy: 'Allow the action in the IAM policy of the provisioner.' },
  AccountDisabled: { class: 'auth', remedy: 'AWS has disabled this for the account; contact AWS support.' },
  InvalidClientTokenId: { class: 'auth', remedy: 'Check the access key: it is unknown to AWS.' },
  UnrecognizedClientException: { class: 'auth', remedy: 'Check the access key: it is unknown to AWS.' },
  MissingAuthenticationToken: { class: 'auth' },
  IncompleteSignature: { class: 'auth' },
  SignatureDoesNotMatch: { class: 'auth', remedy: `Check the secret key. If it is right: ${clock}` },
  InvalidSignatureException: { class: 'auth', remedy: `Check the secret key. If it is right: ${clock}` },
  RequestTimeTooSkewed: { class: 'auth', remedy: capital(clock) },
  RequestExpired: { class: 'auth', remedy: `Renew the session credentials. If they are fresh: ${clock}` },
  ExpiredToken: { class: 'auth', remedy: 'Renew the session credentials.' },
  ExpiredTokenException: { class: 'auth', remedy: 'Renew the session credentials.' },
  CredentialsProviderError: {
    class: 'auth',
    remedy:
      'Provide AWS credentials: environment variables, a profile, or the role of the instance the provisioner runs on.',
  },
  ProfileWithoutCredentials: {
    class: 'auth',
    remedy:
      'Run `aws configure list-profiles`, and correct or unset AWS_PROFILE; for a profile without credentials, add them or run `aws sso login`.',
  },
  TokenProviderError: { class: 'auth', remedy: 'Sign in again: `aws sso login`.' },
  Blocked: { class: 'auth', remedy: 'AWS has blocked this account; contact AWS support.' },
  OptInRequired: config('Accept the terms of the image in AWS Marketplace, or subscribe the account to EC2.'),

  'InvalidAMIID.NotFound': config("Use an image in the pool's region that the account may use."),
  'InvalidAMIID.Malformed': config('Write the image id as ami- and 8 or 17 hexadecimal digits.'),
  'InvalidAMIID.Unavailable': config('Wait until the image is available, or use another.'),
  'InvalidSubnetID.NotFound': config("Use subnets in the pool's region and account."),
  'InvalidSubnet.Range': config("Use subnets in the pool's region and account."),
  'InvalidGroup.NotFound': config("Use a security group in the subnet's VPC."),
  'InvalidPlacementGroup.Unknown': config(
    "Create the placement group in the pool's region, or correct placement_group.",
  ),
  PlacementGroupLimitExceeded: quota('Placement groups per Region'),
  InvalidGroupId: config("Use a security group in the subnet's VPC."),
  'InvalidCapacityReservationId.NotFound': config(
    "Correct capacity: use a reservation in the pool's region that is shared with the account.",
  ),
  'InvalidKeyPair.NotFound': config("Create the key pair in the pool's region, or remove ssh_key_name."),
  'InvalidSnapshot.NotFound': config(
    'Use another image: the snapshot of this one is gone or not shared with the account.',
  ),
  InvalidBlockDeviceMapping: config("Make the volume at least as large as the image's snapshot."),
  'InvalidUserData.Malformed': config(
    'Shorten the startup scripts: EC2 accepts at most 16,384 bytes of user data.',
  ),
  InvalidInstanceType: config('Correct the instance type; EC2 has no such type.'),
  VPCIdNotSpecified: config('Set subnet_ids: the account has no default VPC in this region.'),
  'InvalidIAMInstanceProfileArn.Malformed': config('Correct iam_instance_profile_arn.'),
  UnknownRegion: config('Correct `region` in the provider block, or AWS_REGION if it is not set there.'),
  OperationNotPermitted: config(
    'Turn off the termination protection of the instance, or terminate it by hand.',
  ),

  InternalError: { class: 'transient' },
  InternalFailure: { class: 'transient' },
  ServiceUnavailable: { class: 'transient' },
  Unavailable: { class: 'transient' },
  RequestTimeout: { class: 'transient' },
  TimeoutError: { class: 'transient' },
  ENOTFOUND: {
    class: 'transient',
    remedy:
      'Check the DNS servers of this machine, and AWS_ENDPOINT_URL if it is set: the host in the message does not resolve. The call is retried.',
  },
  [proxyErrorCode]: { class: 'transient', remedy: proxyRemedy },
  NotFromEc2: {
    class: 'transient',
    remedy:
      'Check what is between this machine and EC2: a proxy, a portal that requires a sign-in, AWS_ENDPOINT_URL. The call is retried.',
  },
  'InvalidInstanceID.NotFound': {
    class: 'transient',
    remedy: 'No action is needed: EC2 lists new instances with a delay.',
  },
}

const kmsRemedy =
  'Let the provisioner use the KMS key that encrypts the volume or its snapshot (kms:CreateGrant and others: docs/aws.md), and enable the key.'
const overview = 'https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html'

/**
 * Looks up the whole code, then the part before its dot. `Client.` and `Server.` prefixes only name the side at fault.
 */
function knownRow(code: string): Ec2Row | undefined {
  const own = code.replace(/^(?:Client|Server)\./, '')
  for (const name of [code, own, own.split('.')[0]!])
    if (Object.hasOwn(failureTable, name)) return failureTable[name]
  if (/KMS/.test(code)) return { class: 'config', remedy: kmsRemedy }
  return /LimitExceeded$|QuotaExceeded|CountExceeded$/.test(own) ? { class: 'quota' } : undefined
}

/** For a call as a whole. Without an error status the outcome is unknown: the call is sent again with its token. */
function rowByStatus(code: string, status: number | undefined): Ec2Row {
  if (status === undefined || status < 300) return { class: 'transient', remedy: connectionRemedy(code) }
  if (status >= 500) return { class: 'transient' }
  if (status === 429) return { class: 'throttle' }
  return refusedRow(code, status)
}

/** For a refusal with an unknown code. */
function refusedRow(code: string, status: number): Ec2Row {
  if (status === 401 || status === 403)
    return {
      class: 'auth',
      unknown: true,
      remedy: `Run \`provision check\` with these credentials, and look up ${code} in ${overview}.`,
    }
  if (/^(?:Invalid|Malformed|Missing|UnknownParameter|Unsupported|Incorrect)/.test(code))
    return { class: 'config' }
  return {
    class: 'config',
    unknown: true,
    remedy: `Look up ${code} in ${overview}; \`provision --dry-run\` shows the request.`,
  }
}

/** undefined for temporary errors: errno codes, and responses that were cut off. */
function connectionRemedy(code: string): string | undefined {
  if (/CERT|SELF_SIGNED|UNABLE_TO|_SSL_|_TLS_/.test(code))
    return 'Trust the CA that signed the certificate of the endpoint, or of the proxy in front of it: NODE_EXTRA_CA_CERTS=/path/to/ca.pem.'
  if (/^E(?!RR_)[A-Z_]+$|Timeout|^(?:Error|SyntaxError|AbortError)$/.test(code)) return undefined
  return `The call is retried. If it keeps failing, check AWS_ENDPOINT_URL, AWS_PROFILE and the proxy settings.`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

// A portal, a proxy or another service may answer instead of EC2, with status 200. Missing instances would
// then count as terminated.

/** What the response is instead of EC2's; undefined for EC2's response to `action`. */
export function foreignContent(xml: string, action: string, ok: boolean): string | undefined {
  const text = xml.trim()
  if (!text) return 'an empty body'
  if (/^<(?:!doctype html|html)\b/i.test(text)) return 'an HTML page'
  if (/^[[{"]/.test(text)) return 'JSON'
  const found = /^\uFEFF?(?:<[?!][^>]*>\s*)*<([\w:.-]+)[\s/>]/.exec(text)?.[1]
  if (!found) return 'a body that is not XML'
  if (/^html$/i.test(found)) return 'an HTML page'
  // The SDK accepts errors of several shapes.
  if (!ok) return text.includes('<Code>') ? undefined : 'XML that is not an EC2 error'
  const root = `${action}Response`
  if (found !== root) return `XML that is not a ${root}`
  if (!text.endsWith(`</${root}>`)) return `a truncated ${root}`
  return /<requestId>[^<]+<\/requestId>/i.test(text) ? undefined : `a ${root} without a request id`
}

export function notFromEc2(what: string, httpStatusCode: number): Error {
  return Object.assign(new Error(`answered HTTP ${httpStatusCode} with ${what}`), {
    name: 'NotFromEc2',
    $metadata: { httpStatusCode },
  })
}
