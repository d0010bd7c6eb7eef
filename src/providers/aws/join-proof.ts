// The proof `aws-sts`: the instance signs sts:GetCallerIdentity with the credentials that every EC2 instance has of its own identity
// role, and we send it. STS answers with the ARN of the signer, which contains account and instance id.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html#ec2-instance-identity-roles

import type { MetadataOptions } from '../../platform/index.ts'
import {
  checkProofTime,
  invalid,
  type JoinProofContext,
  type JoinProofVerifier,
  other,
  type ProofRequest,
  proofFields,
  unchecked,
} from '../join-proof.ts'
import { cachedAnswer } from '../online-facts.ts'
import {
  type CallerIdentity,
  identityClient,
  NoAnswerOfAws,
  RefusedByAws,
  type SignedCall,
  signedHeaders,
} from './caller-identity.ts'
import { ec2Client, prepareAccount, regionOfSdk, stsOf } from './client.ts'
import { identityDocumentVerifier } from './identity-document.ts'
import { documentKind, stsKind } from './join-kinds.ts'
import { regionOf } from './metadata.ts'
import type { AwsConfig } from './rules.ts'

/** Where the pool's instances are. */
export interface PoolPlace {
  region: string
  /** Of the provisioner's own credentials, which launch the instances. */
  account: string
}

export type FindPlace = (signal?: AbortSignal) => Promise<PoolPlace>

export function verifierOf(kind: string, config: AwsConfig, context: JoinProofContext): JoinProofVerifier {
  const place = placeOf(kind, config, context)
  const verifier =
    kind === documentKind ? identityDocumentVerifier(place, config.join) : stsVerifier(place, context)
  return { ...verifier, prepare: prepareAccount }
}

/** Milliseconds for which the account of the credentials is not asked for again. */
const accountTtlMs = 600_000

function placeOf(kind: string, config: AwsConfig, { clock, env }: JoinProofContext): FindPlace {
  return cachedAnswer(clock, accountTtlMs, async (signal) => {
    const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env, ...(signal && { signal }) }
    try {
      const region = await regionOf(config.region, regionOfSdk, metadata)
      const api = ec2Client(region, env)
      const account = await api.account(signal).finally(() => api.close())
      if (account !== undefined) return { region, account }
    } catch (error) {
      signal?.throwIfAborted()
      throw unchecked(kind, 'the region of the pool is unknown', { cause: error })
    }
    throw unchecked(kind, "the account of the provisioner's credentials is unknown: STS did not answer")
  })
}

const patterns = {
  region: /^[a-z]{2,8}(?:-[a-z]{2,16}){1,3}-\d{1,2}$/,
  date: /^\d{8}T\d{6}Z$/,
  authorization: /^[\x20-\x7e]{1,600}$/,
  // Visible characters only: in a canonical request, spaces would have several forms.
  token: /^[\x21-\x7e]{16,4096}$/,
}

/** The only form of the header: one space after each comma, no header more or less. */
const authorizationForm = new RegExp(
  `^AWS4-HMAC-SHA256 Credential=([A-Z0-9]{16,128})/(\\d{8})/([a-z0-9-]{1,40})/sts/aws4_request, SignedHeaders=${signedHeaders}, Signature=([0-9a-f]{64})$`,
)

/**
 * The signed request as far as it may be sent. Throws JOIN_PROOF_INVALID for one whose headers, scope, region or time are not those
 * of the request that we would send: method, host, path, query and body are not the sender's to choose.
 */
function signedCall({ proof, nonce, now }: ProofRequest): SignedCall {
  const { authorization, date, token, region } = proofFields(proof, stsKind, patterns)
  const [, accessKey = '', day, scope, signature = ''] = authorizationForm.exec(authorization) ?? []
  if (!accessKey) throw invalid(stsKind, 'its Authorization header is not that of the request to sign')
  if (!/^[\w-]{1,120}$/.test(nonce)) throw invalid(stsKind, 'there is no nonce')
  if (scope !== region) throw invalid(stsKind, 'it is signed for another region than it names')
  if (day !== date.slice(0, 8)) throw invalid(stsKind, 'it is signed for another day')
  checkProofTime(stsKind, 'date', timeOf(date), now)
  return { accessKey, date, region, token, nonce, signature }
}

/** Milliseconds since the epoch; NaN for no time of the calendar. */
function timeOf(date: string): number {
  const iso = date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const time = new Date(iso).getTime()
  return !Number.isNaN(time) && new Date(time).toISOString() === iso ? time : Number.NaN
}

function stsVerifier(place: FindPlace, { env }: JoinProofContext): JoinProofVerifier {
  let client: ReturnType<typeof identityClient> | undefined
  return {
    kind: stsKind,
    async verify(request, signal) {
      const call = signedCall(request)
      const { region, account } = await place(signal)
      if (call.region !== region)
        throw invalid(stsKind, `it is signed for region ${call.region}, but the pool is in ${region}`)
      const { host, partition } = stsOf(region)
      try {
        client ??= identityClient({ host, env })
        const found = await client.ask(call, signal)
        checkSigner(found, { partition, account, id: request.instance.id })
      } catch (error) {
        if (error instanceof RefusedByAws)
          throw invalid(stsKind, `STS refused the signed request: ${error.code}`, { code: error.code })
        if (error instanceof NoAnswerOfAws) throw unchecked(stsKind, error.message, { cause: error })
        throw error
      }
    },
  }
}

/**
 * The whole ARN is compared: the owner of a role chooses the names of its sessions. Nobody can make a role of this name, because the
 * names of customers' roles have no colon (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html).
 */
function checkSigner(
  { arn, account: its }: CallerIdentity,
  { partition, account, id }: { partition: string; account: string; id: string },
): void {
  const wanted = ['sts', 'iam'].map(
    (service) => `arn:${partition}:${service}::${account}:assumed-role/aws:ec2-instance/${id}`,
  )
  if (its === account && wanted.includes(arn)) return
  const shown = arn.length > 300 ? `${arn.slice(0, 299)}…` : arn
  throw other(stsKind, `the signer is ${JSON.stringify(shown)}, not instance ${id} of account ${account}`)
}
