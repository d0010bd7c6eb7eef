// Launch templates, with version 1 only, and the SSM parameters that they can name.

import { matching } from './filters.ts'
import { checkMachine, taggedAs } from './launches.ts'
import { at, Ec2Error, type Params, tagSet, type Xml } from './query.ts'
import type { FakeTemplate, World } from './world.ts'

export function createLaunchTemplate(world: World, params: Params): Xml {
  const name = at(params, 'LaunchTemplateName') ?? ''
  if (!/^[a-zA-Z0-9().\-/_]{3,128}$/.test(name))
    throw new Ec2Error('InvalidLaunchTemplateName.MalformedException', name)
  if (world.templates.has(name))
    throw new Ec2Error(
      'InvalidLaunchTemplateName.AlreadyExistsException',
      'Launch template name already in use.',
    )
  const data = params['LaunchTemplateData'] as Params
  checkMachine(world, data)
  const tags = taggedAs(params, 'launch-template')
  const template = { id: world.id('lt'), name, createdAt: world.now(), data, tags }
  world.templates.set(name, template)
  return { launchTemplate: templateXml(template) }
}

export function deleteLaunchTemplate(world: World, params: Params): Xml {
  const template = find(world, params)
  world.templates.delete(template.name)
  return { launchTemplate: templateXml(template) }
}

export function describeLaunchTemplates(world: World, params: Params): Xml {
  const found = matching([...world.templates.values()], params, ({ tags }) => ({ tags, values: {} }))
  return { launchTemplates: found.map(templateXml) }
}

export function describeLaunchTemplateVersions(world: World, params: Params): Xml {
  const { data, name } = find(world, params)
  const image = at(data, 'ImageId') ?? ''
  const parameter = /^resolve:ssm:(.*)$/.exec(image)?.[1]
  const resolve = parameter !== undefined && at(params, 'ResolveAlias') === 'true'
  if (resolve && !(parameter in world.parameters))
    throw new Ec2Error('InvalidAMIID.Malformed', `The SSM parameter ${parameter} does not exist`)
  const imageId = resolve ? world.parameters[parameter] : image
  return {
    launchTemplateVersionSet: [
      { launchTemplateName: name, versionNumber: 1, launchTemplateData: { imageId } },
    ],
  }
}

function find(world: World, params: Params): FakeTemplate {
  const name = at(params, 'LaunchTemplateName') ?? ''
  const template = world.templates.get(name)
  if (template) return template
  throw new Ec2Error(
    'InvalidLaunchTemplateName.NotFoundException',
    `The specified launch template, ${name}, does not exist`,
  )
}

function templateXml({ id, name, createdAt, tags }: FakeTemplate): Xml {
  return {
    launchTemplateId: id,
    launchTemplateName: name,
    createTime: new Date(createdAt).toISOString(),
    latestVersionNumber: 1,
    tagSet: tagSet(tags),
  }
}
