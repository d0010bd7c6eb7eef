// What only the cloud or the machine can tell: known at launch, shown as placeholders by a dry run.

import { type Problem, problem } from '../../problems/problem.ts'
import type { AwsConfig, AwsImage } from './aws-config.ts'

/** Each undefined until it has been asked for. */
export interface AwsFacts {
  region?: string
  imageId?: string
  /** The image's root device, such as `/dev/xvda`. */
  rootDevice?: string
  /** `tag_value` when the file gives none: the master's instance id, or `determined-ai-determined`. */
  tagValue?: string
  /** What VMs are started with, base64 as the API wants it. */
  userData?: string
}

export type SettledFacts = Required<AwsFacts>

/** Facts, else the file's words, else a placeholder in `<>`; one warning names every placeholder but the user data. */
export function settleFacts(
  config: AwsConfig,
  facts: AwsFacts,
): { facts: SettledFacts; problems: Problem[] } {
  const unknown: string[] = []
  const orPlaceholder = (known: string | undefined, name: string, placeholder: string): string => {
    if (known !== undefined) return known
    unknown.push(`${name} ${placeholder}`)
    return placeholder
  }
  const settled: SettledFacts = {
    region: orPlaceholder(
      config.region ?? facts.region,
      'region',
      '<from AWS_REGION, the AWS profile or instance metadata>',
    ),
    imageId: orPlaceholder(facts.imageId ?? idOf(config.image), 'image', imagePlaceholder(config.image)),
    rootDevice: orPlaceholder(facts.rootDevice, 'root device', '<root device of the image>'),
    tagValue: orPlaceholder(
      config.tag_value ?? facts.tagValue,
      `tag ${config.tag_key}`,
      "<the master's EC2 instance id, or determined-ai-determined>",
    ),
    userData: facts.userData ?? '<user data, base64>',
  }
  if (!unknown.length) return { facts: settled, problems: [] }
  const message = `the request has values that only AWS can tell: ${unknown.join(', ')}`
  return { facts: settled, problems: [problem('REQUEST_UNKNOWN_OFFLINE', message, { details: { unknown } })] }
}

function idOf(image: AwsImage): string | undefined {
  return 'id' in image ? image.id : undefined
}

function imagePlaceholder(image: AwsImage): string {
  if ('ssm' in image) return `<image of the SSM parameter ${image.ssm}>`
  if ('owner' in image) return `<newest image ${image.name} of ${image.owner}>`
  return '<image>'
}
