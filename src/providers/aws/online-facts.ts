// What a launch has to know that the file does not say: asked for once, and anew when it may have changed.

import { limit } from '../../platform/limit.ts'
import type { MetadataOptions } from '../../platform/metadata-server.ts'
import type { Clock } from '../../platform/ports.ts'
import type { Ownership } from '../ownership.ts'
import type { AwsConfig } from './aws-config.ts'
import type { Ec2Api } from './ec2-api.ts'
import type { AwsFacts } from './facts.ts'
import { type ResolvedImage, resolveImage } from './image.ts'
import { ec2Metadata } from './metadata.ts'

/** The origin's word for a master that is not on EC2 (origin: provconfig/aws_config.go). */
export const notOnEc2 = 'determined-ai-determined'

/** A newer image is used after this. */
const imageKeptMs = 600_000

export interface OnlineInput {
  api: Ec2Api
  config: AwsConfig
  owner: Ownership
  clock: Clock
  metadata: MetadataOptions
}

export type OnlineFacts = (signal?: AbortSignal) => Promise<AwsFacts>

export function onlineFacts({ api, config, owner, clock, metadata }: OnlineInput): OnlineFacts {
  const oneQuestion = limit(1)
  let image: { resolved: ResolvedImage; at: number } | undefined
  let tagValue: Promise<string> | undefined

  async function currentImage(signal?: AbortSignal): Promise<ResolvedImage> {
    if (image && clock.now() - image.at < imageKeptMs) return image.resolved
    const resolved = await resolveImage(api, config.image, owner, signal)
    image = { resolved, at: clock.now() }
    return resolved
  }

  /** The master's instance id; no metadata service means no EC2 instance. */
  function ownInstanceId(): Promise<string> {
    tagValue ??= ec2Metadata(metadata)
      .get('instance-id')
      .then(
        (id) => id ?? notOnEc2,
        () => notOnEc2,
      )
    return tagValue
  }

  return async (signal) => {
    const facts: AwsFacts = await oneQuestion(() => currentImage(signal))
    return config.tag_value === undefined ? { ...facts, tagValue: await ownInstanceId() } : facts
  }
}
