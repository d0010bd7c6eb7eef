// AWS Signature Version 4 by its description, for proofs and for the fake STS that checks them. Shares no code with src.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
import { createHash, createHmac } from 'node:crypto'

export interface Credentials {
  accessKey: string
  secret: string
  token: string
}

export interface SigningInput extends Credentials {
  region: string
  host: string
  /** `20261130T010203Z`. */
  date: string
  nonce: string
  method?: string
  query?: string
  path?: string
  body?: string
  /** In addition to the four. */
  more?: Record<string, string>
  service?: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

export function basicDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')
}

/** The value of the Authorization header. */
export function authorizationOf(input: SigningInput): string {
  const { region, host, date, nonce, token, accessKey, secret, service = 'sts' } = input
  const headers: Record<string, string> = {
    host,
    'x-amz-date': date,
    'x-amz-security-token': token,
    'x-provision-nonce': nonce,
    ...input.more,
  }
  const names = Object.keys(headers).sort()
  const canonical = [
    input.method ?? 'GET',
    input.path ?? '/',
    input.query ?? 'Action=GetCallerIdentity&Version=2011-06-15',
    ...names.map((name) => `${name}:${headers[name]!.trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(input.body ?? ''),
  ].join('\n')
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
  const key = [region, service, 'aws4_request'].reduce<Buffer>(hmac, hmac(`AWS4${secret}`, date.slice(0, 8)))
  return `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${hmac(key, text).toString('hex')}`
}

/** A proof as the startup script makes it. */
export function stsProof(input: SigningInput) {
  const { region, date, token } = input
  return { kind: 'aws-sts', region, date, authorization: authorizationOf(input), token }
}
