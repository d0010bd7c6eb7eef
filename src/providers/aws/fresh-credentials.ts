// Credentials that were renewed while the provisioner runs: a profile's file is read again when AWS refuses the old ones.
import type { EC2Client } from '@aws-sdk/client-ec2'
import { codeOf } from './errors.ts'

/** EC2 says RequestExpired for a session that is over, and for a clock that is wrong. */
const refusals = [
  'AuthFailure',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'RequestExpired',
  'UnrecognizedClientException',
]

/** Sends once more when AWS refused the credentials and others have taken their place; such a refusal had no effect. */
export async function withFreshCredentials<T>(client: EC2Client, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    if (refusals.includes(codeOf(error)) && (await areOthers(client))) return send()
    throw error
  }
}

async function areOthers({ config: { credentials } }: EC2Client): Promise<boolean> {
  const before = await credentials()
  const now = await credentials({ forceRefresh: true })
  return before.accessKeyId !== now.accessKeyId || before.sessionToken !== now.sessionToken
}
