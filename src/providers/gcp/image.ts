// The image of the boot disk: its path, and the newest image of a family.

import type { CommonProviderConfig } from '../../config/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { GceApi } from './client.ts'

export interface ImagePath {
  /** undefined: that of the pool. */
  project?: string | undefined
  isFamily: boolean
  /** Of the image or of the family. */
  name: string
}

/** undefined for what is not the path of an image. */
export function imagePath(path: string): ImagePath | undefined {
  const parts = /(?:projects\/([^/]+)\/)?global\/images\/(family\/)?([^/]+)$/.exec(path)
  if (!parts) return undefined
  const [, project, family, name = ''] = parts
  return { project, isFamily: family !== undefined, name }
}

/** Whether a newer image may appear behind the name that the configuration has. */
export function hasNewestImage(image: string): boolean {
  return imagePath(image)?.isFamily === true
}

type Imaged = Pick<CommonProviderConfig, 'rollout'> & { boot_disk_source_image: string }

/** Whether launches name the image itself instead of its family, so that it is known which image an instance has. */
export function namesNewest({ rollout, boot_disk_source_image }: Imaged): boolean {
  return rollout.images === 'latest' && hasNewestImage(boot_disk_source_image)
}

/** The path of the image that a family stands for now. Throws PROVIDER_CONFIG, and the errors of the call. */
export async function newestOf(
  api: Pick<GceApi, 'getImageFromFamily'>,
  path: string,
  ownProject: string,
  signal?: AbortSignal,
): Promise<string> {
  const { project = ownProject, name: family = '' } = imagePath(path) ?? {}
  const { name } = await api.getImageFromFamily({ project, family }, signal)
  if (!name) throw new ProvisionError(problem('PROVIDER_CONFIG', `the image family ${path} has no image`))
  return `projects/${project}/global/images/${name}`
}
