// The tags of a VM: the origin's, ours, and the user's own.
import type { ResourceType, Tag, TagSpecification } from '@aws-sdk/client-ec2'
import type { MasterAddress } from '../../pki/master-address.ts'
import { masterUrl } from '../../pki/master-address.ts'
import { type Problem, problem } from '../../problems/problem.ts'
import { type Ownership, ownerTags } from '../ownership.ts'
import type { AwsConfig } from './aws-config.ts'

export interface TagInput {
  config: AwsConfig
  owner: Ownership
  master: MasterAddress
  tagValue: string
}

/** Tags that are the same for every launch of a pool; the origin's names (origin: aws.go). */
export function poolTags({ config, owner, master, tagValue }: TagInput): Tag[] {
  return [
    tag('Name', config.instance_name),
    tag(config.tag_key, tagValue),
    tag('determined-resource-pool', owner.pool),
    tag('determined-master-address', masterUrl(master)),
    tag(ownerTags.cluster, owner.clusterId),
    tag(ownerTags.pool, owner.pool),
    tag(ownerTags.writer, owner.writerId),
    ...config.custom_tags.map(({ key, value }) => tag(key, value)),
  ]
}

export function intentTag(intentId: string): Tag {
  return tag(ownerTags.intent, intentId)
}

export function tagSpecifications(tags: Tag[], kinds: ResourceType[]): TagSpecification[] {
  return kinds.map((kind) => ({ ResourceType: kind, Tags: tags }))
}

/**
 * What EC2 would refuse: over 50 tags, keys over 128 and values over 256 characters, keys that begin with `aws:`,
 * a key twice (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions).
 */
export function tagProblems(tags: Tag[]): Problem[] {
  const found: string[] = []
  if (tags.length > 50) found.push(`${tags.length} tags, and a VM can have 50`)
  const seen = new Set<string>()
  for (const { Key: key = '', Value: value = '' } of tags) {
    if (key === '') found.push('a tag without a key')
    if (lengthOf(key) > 128)
      found.push(`the key ${shortened(key)} has ${lengthOf(key)} characters of at most 128`)
    if (lengthOf(value) > 256)
      found.push(`the value of ${shortened(key)} has ${lengthOf(value)} characters of at most 256`)
    if (/^aws:/i.test(key)) found.push(`the key ${shortened(key)} begins with aws:, which is Amazon's`)
    if (seen.has(key)) found.push(`the key ${shortened(key)} is there twice`)
    seen.add(key)
  }
  return found.map((what) => problem('REQUEST_TAGS_REFUSED', `EC2 would refuse the tags: ${what}`))
}

function tag(key: string, value: string): Tag {
  return { Key: key, Value: value }
}

function lengthOf(text: string): number {
  return [...text].length
}

function shortened(text: string): string {
  return lengthOf(text) > 60 ? `"${[...text].slice(0, 57).join('')}..."` : `"${text}"`
}
