// The bytes handed to a VM, and what they are made of.

/** `plain` and `gzip` go to the cloud as they are; `gzip-stub` is a small script that unpacks the rest (GCE). */
export type UserDataEncoding = 'plain' | 'gzip' | 'gzip-stub'

export interface UserData {
  /** The script as text: what people read, and what tokens and comparisons hash. */
  script: string
  encoding: UserDataEncoding
  /** What the cloud is given, before any base64 its API wants. */
  packed: Uint8Array
  /** Bytes. `limit` is the cloud's, for `packed`; undefined when the cloud has none. */
  bytes: { script: number; packed: number; limit?: number }
  /** Of the script's UTF-8 bytes, lower-case hex. */
  sha256: string
}

/**
 * Bytes of user data a cloud accepts: EC2 16 KB before base64
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html),
 * GCE 256 KB per metadata value (https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations).
 */
export const userDataLimit = { aws: 16_384, gcp: 262_144, local: undefined } as const
