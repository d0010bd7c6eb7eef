// "Did you mean": misspelt words are recognised, words of another meaning are not.
import { describe, expect, it } from 'vitest'
import { completed, nearest } from '../../../src/platform/nearest.ts'

const keys = [
  'max_instances',
  'min_instances',
  'placement_grace',
  'subnet_id',
  'subnet_ids',
  'security_group_id',
  'instance_type',
  'instance_types',
  'instance_name',
  'max_idle_agent_period',
  'agent_docker_image',
  'boot_timeout',
  'public_ip',
  'custom_tags',
  'label_key',
  'label_value',
  'tag_value',
  'image_id',
  'region',
  'spot',
  'tls',
  'zones',
  'key',
  'cert',
]

describe('nearest', () => {
  it.each([
    ['max_instancs', 'max_instances'],
    ['maxInstances', 'max_instances'],
    ['MaxInstances', 'max_instances'],
    ['max-instances', 'max_instances'],
    ['maxinstances', 'max_instances'],
    ['instances_max', 'max_instances'],
    ['mx_instances', 'max_instances'],
    ['max_intsances', 'max_instances'],
    ['SubnetId', 'subnet_id'],
    ['subnets_id', 'subnet_id'],
    ['securty_group_id', 'security_group_id'],
    ['instnace_tpye', 'instance_type'],
    ['max_idle_agnet_period', 'max_idle_agent_period'],
    ['boot_timout', 'boot_timeout'],
    ['public_pi', 'public_ip'],
    ['regoin', 'region'],
    ['spt', 'spot'],
    ['tsl', 'tls'],
    ['iamge_id', 'image_id'],
    ['kee', 'key'],
  ])('%s is %s', (given, wanted) => {
    expect(nearest(given, keys)).toBe(wanted)
  })

  it.each([
    'placement_group',
    'placement',
    'placement_strategy',
    'instance_profile',
    'instance_market',
    'subnet',
    'security_groups',
    'max_price',
    'max_surge',
    'max_idle_agent_count',
    'min_size',
    'label_selector',
    'label',
    'tags',
    'tag_specifications',
    'image_owner',
    'agent_docker_memory',
    'boot_disk',
    'boot_mode',
    'public_dns',
    'custom_data',
    'certificate',
    'zonal',
    'monkey',
    'efa',
    'instances',
    'colour',
    '',
    'a',
  ])('%s is no misspelling', (given) => {
    expect(nearest(given, keys)).toBeUndefined()
  })
})

describe('completed', () => {
  it('gives the only command that begins so', () => {
    expect(completed('val', ['validate', 'version'])).toBe('validate')
    expect(completed('ver', ['verify', 'version'])).toBeUndefined()
    expect(completed('v', ['validate'])).toBeUndefined()
  })
})
