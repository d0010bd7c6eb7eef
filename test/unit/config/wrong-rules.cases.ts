// Wrong input, one case for each rule: settings that contradict each other, and the rules of clouds and addresses.
import { aws, gcp, local, provider, type WrongInput } from './marked.ts'
import { cases } from './wrong-keys.cases.ts'

const pool = (text: string) => `resource_pools:\n  - pool_name: p\n    ${text}`

export const wrongRules: WrongInput[] = [
  ...cases('CONFIG_OUT_OF_RANGE', [
    [
      'a pool name no agent can join with',
      `resource_pools:\n  - pool_name: ➤${'x'.repeat(257)}\n    provider: {type: local, max_instances: 1}`,
      'at most 256',
    ],
    ['a gp3 volume above 64 TiB', aws('volume: {size: ➤65537}'), 'at most 65536'],
    ['a gp2 volume above 16 TiB', aws('volume: {type: gp2, size: ➤16385}'), 'at most 16384'],
    [
      'an old key above the largest volume',
      aws('volume: {type: standard}\nroot_volume_size: ➤1025'),
      'at most 1024',
    ],
    ['too many IOPS of io1', aws('volume: {type: io1, iops: ➤64001}'), 'at most 64000'],
    ['too much throughput of gp3', aws('volume: {throughput: ➤2001}'), 'at most 2000'],
    [
      'more security groups than an interface can have',
      aws(
        `network_interface: {security_group_ids: ➤[${Array.from({ length: 17 }, (_, n) => `sg-${(n + 0x10000000).toString(16)}`)}]}`,
      ),
      'several groups into one',
    ],
  ]),
  ...cases('REQUEST_BASE_CONFIG', [
    ['a quoted boolean in base_config', gcp('base_config: {canIpForward: ➤"false"}'), 'without quotes'],
    ['no integer in base_config', gcp('base_config: {scheduling: {minNodeCpus: ➤4x}}'), 'an integer'],
    [
      'no 64-bit integer in base_config',
      gcp('base_config: {scheduling: {maxRunDuration: {seconds: ➤abc}}}'),
      'such as 60',
    ],
    ['a field base_config does not have', gcp('base_config: {disks: [{➤boott: true}]}'), 'mean "boot"'],
    ...['constructor', 'toString', '__proto__'].flatMap((name): [string, string, string][] => [
      [`${name} in an EC2 base_config`, aws(`base_config: {➤${name}: {a: 1}}`), 'Correct the field'],
      [`${name} deeper in one`, aws(`base_config: {Placement: {➤${name}: 1}}`), 'Correct the field'],
      [`${name} in a base_config of GCP`, gcp(`base_config: {➤${name}: 1}`), 'Correct the field'],
    ]),
    ['a field RunInstances lacks', aws('base_config: {Placement: {➤GroupNam: a}}'), 'mean "GroupName"'],
    ['a list of an EC2 base_config', aws('base_config: {NetworkInterfaces: ➤x}'), 'Correct the field'],
    ['a field with a key of its own', aws('base_config: {➤TagSpecifications: []}'), 'custom_tags'],
    [
      'a field launch templates lack',
      aws('spot: true\nbase_config: {➤RamdiskId: ari-1}'),
      'one instance type',
    ],
  ]),
  ...cases('CONFIG_WRONG_TYPE', [
    ['no address in a list', local('master_url: ➤[]'), 'one "- https://'],
    ['a mapping of addresses', local('master_url: ➤{a: b}'), 'one "- https://'],
    [
      'more EFA interfaces than any type has',
      aws('instance_type: m7i.48xlarge\nnetwork_interface: {efa: ➤100000000}'),
      'Write true',
    ],
  ]),
  ...cases('CONFIG_MISSING_KEY', [
    ['an instance type without type', aws('instance_types: [➤{slots: 1}]'), '{family: g5}'],
  ]),
  ...cases('CONFIG_BAD_CHOICE', [
    ['a family that is not in the table', aws('instance_types: [{family: ➤g6i}]'), 'mean "g6"'],
    ['a family without GPUs', aws('instance_types: [{family: ➤m7i}]'), 'slots: N'],
    ['a family whose name is near that of another', aws('instance_types: [{family: ➤m5}]'), 'List its'],
  ]),
  ...cases('CONFIG_BAD_VALUE', [
    [
      'all EFA interfaces of an unknown type',
      aws('instance_type: m7i.48xlarge\nnetwork_interface: {efa: ➤true}'),
      'efa: 1',
    ],
  ]),
  // One mistake is one problem.
  ...cases('CONFIG_UNKNOWN_KEY', [
    ['a misspelt family', aws('instance_types: [{➤familly: g6}]'), 'Did you mean "family"?'],
    [
      'a key of the provider in one of its blocks',
      aws('network_interface: {➤subnet_ids: [subnet-0123456789abcdef0]}'),
      'Move it: it is subnet_ids.',
    ],
    ['a misspelt reservation', aws('capacity: {➤reservaton: open}'), 'Did you mean "reservation"?'],
    ['a misspelt flex_start', gcp('capacity: {➤flex_strt: 2h}'), 'Did you mean "flex_start"?'],
    ['a misspelt key of a tag', aws('custom_tags: [{➤kye: a, value: b}]'), 'Did you mean "key"?'],
    ['a reservation without capacity', aws('➤capacity_reservation: cr-1'), 'capacity: {reservation'],
    ['a block without capacity', aws('➤capacity_block: cr-1'), 'capacity: {block'],
    ['flex_start without capacity', gcp('➤flex_start: 2h'), 'capacity: {flex_start'],
    ['a provisioning model', gcp('➤provisioning_model: SPOT'), 'spot: true'],
  ]),
  ...cases('CONFIG_DUPLICATE', [
    [
      'a security group twice',
      aws('network_interface: {security_group_ids: [sg-0123456789abcdef0, ➤sg-0123456789abcdef0]}'),
      'Keep one',
    ],
  ]),
  ...cases('CONFIG_CONFLICT', [
    [
      'a public address in base_config and several interfaces',
      aws('base_config: {NetworkInterfaces: [{AssociatePublicIpAddress: ➤true}, {DeviceIndex: 1}]}'),
      'Set it to false',
    ],
    [
      'two placement groups',
      aws('placement_group: a\nbase_config: {Placement: {➤GroupName: b}}'),
      'Keep one',
    ],
    [
      'two placement groups, one by its id',
      aws('placement_group: a\nbase_config: {Placement: {➤GroupId: pg-0123456789abcdef0}}'),
      'Keep one',
    ],
    [
      'a placement group for each gang of burstable instances',
      aws('instance_type: t3.large\nplacement_group: ➤per_gang'),
      'Use another instance type',
    ],
    [
      'a placement group for each gang in a Capacity Block',
      aws('➤placement_group: per_gang\ncapacity: {block: cr-0123456789abcdef0}'),
      'Remove placement_group',
    ],
    [
      'a placement group for each gang in a reservation',
      aws('➤placement_group: per_gang\ncapacity: {reservation: cr-0123456789abcdef0}'),
      'Reserve the capacity in a placement group',
    ],
    ['two tenancies', aws('tenancy: dedicated\nbase_config: {Placement: {➤Tenancy: host}}'), 'Keep one'],
    [
      'Flex-start and a provisioning model',
      gcp('capacity: {flex_start: 2h}\nbase_config: {scheduling: {➤provisioningModel: SPOT}}'),
      'Keep one',
    ],
    [
      'two run durations',
      gcp('capacity: {flex_start: 2h}\nbase_config: {scheduling: {➤maxRunDuration: {seconds: 60}}}'),
      'Keep one',
    ],
    [
      'one security group and several',
      aws('network_interface: {➤security_group_id: sg-1, security_group_ids: [sg-2]}'),
      'Move it into security_group_ids',
    ],
    [
      'EFA on a size without',
      aws('instance_type: g5.xlarge\nnetwork_interface: {efa: ➤true}'),
      'use g5.8xlarge, g5.12xlarge',
    ],
    [
      'more EFA interfaces than the type has',
      aws('instance_type: p4d.24xlarge\nnetwork_interface: {efa: ➤5}'),
      '`efa: 4`',
    ],
    [
      'a public address with several interfaces',
      aws('instance_type: p4d.24xlarge\nnetwork_interface: {efa: true, public_ip: ➤true}'),
      'NAT gateway',
    ],
    [
      'a public address with several interfaces of base_config',
      aws('network_interface: {public_ip: ➤true}\nbase_config: {NetworkInterfaces: [{DeviceIndex: 1}]}'),
      'NAT gateway',
    ],
    [
      'a key for a volume that is not encrypted',
      aws('volume: {encrypted: false, ➤kms_key_id: alias/a}'),
      'Keep one',
    ],
    [
      'a reservation and a block',
      aws('capacity: {reservation: cr-0123456789, ➤block: cr-0123456789}'),
      'Keep one',
    ],
    [
      'two ways to choose the capacity',
      aws(
        'capacity: {reservation: open}\nbase_config: {➤CapacityReservationSpecification: {CapacityReservationPreference: open}}',
      ),
      'Keep one',
    ],
    ['a family and a type', aws('instance_types: [{type: g6.xlarge, ➤family: g6}]'), 'of its own'],
    ['a family and slots', aws('instance_types: [{➤family: g6, slots: 1}]'), 'of its own'],
    ['two images', aws('➤image_id: ami-2'), 'Keep one'],
    [
      'an image named in two ways',
      provider('aws', '➤image: {id: ami-1, ssm: /a}'),
      'Keep one of id, ssm, or owner',
    ],
    ['two root volume sizes', aws('volume: {size: 100}\n➤root_volume_size: 100'), 'Keep one'],
    ['throughput of gp2', aws('volume: {type: gp2, ➤throughput: 200}'), 'Keep one'],
    ['IOPS of gp2', aws('volume: {type: gp2, ➤iops: 3000}'), 'Keep one'],
    ['two instance types', aws('➤instance_type: g5.xlarge\ninstance_types: [{type: g5.xlarge}]'), '- {type'],
    [
      'slots beside a list of types',
      aws('➤instance_slots: 1\ninstance_types: [{type: g5.xlarge}]'),
      '- {type',
    ],
    ['two prices', aws('spot: {max_price: "1"}\n➤spot_max_price: "2"'), 'Keep one'],
    ['two subnets', aws('subnet_ids: [subnet-1]\nnetwork_interface: {➤subnet_id: subnet-2}'), 'subnet_ids'],
    [
      'a tag that marks VMs as ours',
      aws('custom_tags: [{key: ➤"agent-provisioner:pool", value: x}]'),
      'does not start',
    ],
    ['a tag key that marks VMs as ours', aws('tag_key: ➤"agent-provisioner:pool"'), 'does not start'],
    ['a label that marks VMs as ours', gcp('labels: {➤agent-provisioner-pool: x}'), 'does not start'],
    [
      'a reservation and Flex-start instances',
      gcp('capacity: {reservation: r1, ➤flex_start: 24h}'),
      'Keep one',
    ],
    ['Spot and Flex-start instances', gcp('spot: true\ncapacity: {➤flex_start: 24h}'), 'Keep one'],
    [
      'two ways to choose the capacity',
      gcp(
        'capacity: {reservation: r1}\nbase_config: {➤reservationAffinity: {consumeReservationType: NO_RESERVATION}}',
      ),
      'Keep one',
    ],
    ['zone and zones', gcp('➤zone: a-b1-c\nzones: [a-b1-d]'), 'Move it into zones'],
    ['zones of two regions', gcp('zones: ➤[us-central1-a, us-east1-b]'), 'one pool for each region'],
    ['two boot disks', gcp('base_config: {disks: [{➤boot: true}]}'), 'Keep one'],
    ['a machine type in base_config', gcp('base_config: {➤machineType: n1-standard-1}'), 'machine_type'],
    [
      'a list of types beside a machine type',
      gcp('instance_type: {➤machine_type: n1-standard-1}\ninstance_types: [{type: n1-standard-2}]'),
      '- type',
    ],
    ['spot on and off', gcp('spot: false\ninstance_type: {➤preemptible: true}'), 'Keep one'],
    ['docker for local VMs', local('agent_runtime: ➤docker'), 'Remove agent_runtime'],
    ['a CA file that is not embedded', local('tls: {trust: system, ➤ca_file: ca.pem}'), '`trust: embed`'],
    ["a Determined master's address for our own", 'demand: {➤url: "http://m:8080"}', '`type: determined`'],
    ['a CA file for our own master', 'demand: {➤ca_file: ca.pem}', '`type: determined`'],
    [
      'two ways to log in',
      'demand: {type: determined, user: u, password_file: p, ➤token_file: t}',
      'Keep one',
    ],
    ['two listeners on one port', 'security: {tls: {cert: c}}\nlisten: {port: ➤8443}', 'another port'],
    ['two types in the old form', 'provisioner: {provider: local, ➤type: aws}', 'Keep one'],
  ]),
  ...cases('CONFIG_NEEDS_KEY', [
    ['a log stream without group', aws('➤log_stream: s'), 'Add the key'],
    ['an owner without name', provider('aws', 'image: {➤owner: amazon}'), 'Add the key'],
    ['io1 without IOPS', aws('volume: {type: ➤io1}'), 'choose gp3'],
    ['a network without subnetwork', gcp('network_interface: {➤network: n}'), 'Add the key'],
    ['a key without certificate', 'security: {tls: {➤key: k}}', 'security.tls.cert'],
    ['a listener without certificate', '➤listen: {}', 'provision certs'],
    ["half of a listener's certificate", 'listen: {tls: {➤cert: c}}', 'Add the key'],
    ['no login for a Determined master', 'demand: {type: ➤determined}', 'token_file'],
    ['a user without password', 'demand: {type: determined, ➤user: u}', 'Add the key'],
  ]),
  ...cases('CONFIG_DUPLICATE', [
    ['two pools of one name', 'resource_pools: [{pool_name: p}, {pool_name: ➤p}]', 'rename the other'],
    ['a subnet twice', aws('subnet_ids: [subnet-1, ➤subnet-1]'), 'Keep one'],
    ['a tag twice', aws('custom_tags: [{key: a, value: b}, {key: ➤a, value: c}]'), 'Keep one'],
    ['the Name tag twice', aws('custom_tags: [{key: ➤Name, value: b}]'), 'instance_name'],
    ['a type twice', aws('instance_types: [{type: g5.xlarge}, {type: ➤g5.xlarge}]'), 'Keep one'],
    ['a label twice', gcp('labels: {➤managed-by: me}'), 'label_value'],
  ]),
  ...cases('CONFIG_UNUSED', [
    ['an image nobody starts', local('➤agent_fluent_image: f'), 'Remove'],
    ['two boot timeouts', local('➤boot_timeout: 5m\nmax_agent_starting_period: 6m'), 'Remove one'],
    ['an address for no preflight', local('preflight: off\n➤preflight_address: h:1'), 'Remove'],
    ['a proof for no preflight', local('preflight: off\n➤preflight_proof: http'), 'Remove'],
    ['a spot price without spot', aws('➤spot_max_price: "1"'), 'Remove'],
    ['scopes of nobody', gcp('service_account: {➤scopes: [a]}'), 'Remove'],
    ['reattachment', pool('➤agent_reattach_enabled: true\n    agents: any'), 'Remove'],
    [
      'client certificates without TLS',
      'resource_manager: {➤require_authentication: true}\ndemand: {type: push}',
      'security.tls',
    ],
    [
      'agents of a master that admits them itself',
      `demand: {type: push}\n${pool('➤agents: known')}`,
      'Remove',
    ],
    [
      'providers of other managers',
      'additional_resource_managers: [{➤resource_pools: [{provider: {type: aws}}]}]\ndemand: {type: push}',
      'resource_pools',
    ],
  ]),
  ...cases('POOL_ADMITS_NOBODY', [
    ['a pool without provider', 'resource_pools:\n  - ➤pool_name: p', '`agents: any`'],
    ['known agents of no provider', pool('agents: ➤known'), '`agents: any`'],
    ['an empty key', pool('provider: {type: local}\n  - ➤{pool_name: q, agents: }'), '`agents: any`'],
    ['no pool at all', '➤port: 8443', 'resource_pools: [{pool_name: default, agents: any}]'],
    ['an empty list of pools', '➤port: 8443\nresource_pools: []', 'pool_name: default, agents: any'],
  ]),
  ...cases('CONFIG_FORMS_MIXED', [
    ['both forms', '➤provisioner: {type: local}\nresource_manager: {type: agent}', '`provider` of a pool'],
    [
      'the old scheduler beside pools',
      '➤scheduler: {fit: best}\nresource_pools: [{pool_name: default}]',
      'resource_manager',
    ],
  ]),
  ...cases('PROVIDER_TYPE_MISSING', [
    ['no type', pool('➤provider: {max_instances: 3}'), '`type: aws`'],
    ['an empty type', pool('➤provider: {type: }'), '`type: aws`'],
  ]),
  ...cases('PROVIDER_TYPE_UNKNOWN', [
    ['a misspelt type', pool('provider: {type: ➤awz}'), 'Did you mean "aws"?'],
    ['a type nobody knows', pool('provider: {type: ➤azure}'), '`type: gcp`'],
    ['a type of the old form nobody knows', 'provisioner: {provider: ➤azure}', '`type: gcp`'],
  ]),
  ...cases('PROVIDER_HPC', [
    ['queues of Slurm', pool('provider: {type: ➤hpc, partition: q}'), 'Remove the provider'],
  ]),
  ...cases('RESOURCE_MANAGER_UNSUPPORTED', [
    ['Kubernetes', 'resource_manager: {type: ➤kubernetes}', '{type: agent}'],
    ['Kubernetes in the old form', 'scheduler: {resource_provider: {type: ➤kubernetes}}', '{type: agent}'],
  ]),
  ...cases('IMAGE_MISSING', [
    [
      'no AMI',
      'resource_pools:\n  - pool_name: p\n    ➤provider: {type: aws}',
      '/aws/service/deeplearning/ami/',
    ],
    ['an image that names none', provider('aws', 'image: ➤{}'), 'owner: amazon'],
    [
      'no boot image',
      'resource_pools:\n  - pool_name: p\n    ➤provider: {type: gcp}',
      'deeplearning-platform-release',
    ],
  ]),
  ...cases('INSTANCE_SLOTS_UNKNOWN', [
    ['a misspelt instance type', aws('instance_type: ➤g5.xlrge'), 'Did you mean "g5.xlarge"?'],
    ['an instance type not in the table', aws('instance_type: ➤trn1.2xlarge'), '`instance_slots: N`'],
    ['one of several not in the table', aws('instance_types: [{type: ➤trn1.2xlarge}]'), 'slots: N'],
    [
      'a machine whose GPUs only Google knows',
      gcp('instance_type: {machine_type: ➤g2-standard-5}'),
      'slots: N',
    ],
  ]),
  ...cases('MACHINE_TYPE_INVALID', [
    ['no machine type', gcp('instance_type: {machine_type: ➤bunny-1-1}'), 'n1-standard-8'],
    ['one of several', gcp('instance_types: [{type: ➤n1}]'), 'n1-standard-8'],
    ['a TPU', gcp('instance_type: {machine_type: ➤ct5lp-hightpu-4t}'), 'with GPUs'],
    ['a TPU of several types', gcp('instance_types: [{type: ➤tpu7x-standard-4t}]'), 'with GPUs'],
  ]),
  ...cases('GPU_TYPE_UNKNOWN', [
    [
      'a misspelt GPU',
      gcp('instance_type: {gpu_type: ➤nvidia-tesla-v10}'),
      'Did you mean "nvidia-tesla-v100"?',
    ],
    ['GPUs of no type', gcp('instance_type: {gpu_type: "", gpu_num: ➤2}'), 'nvidia-tesla-t4'],
  ]),
  ...cases('GPU_COUNT_INVALID', [
    [
      'more GPUs than fit',
      gcp('instance_type: {gpu_type: nvidia-tesla-v100, gpu_num: ➤10}'),
      'Write 0, 1, 2, 4 or 8',
    ],
    [
      'another number than is built in',
      gcp('instance_type: {machine_type: a2-highgpu-1g, gpu_type: nvidia-tesla-a100, gpu_num: ➤2}'),
      'Remove gpu_type',
    ],
  ]),
  ...cases('GPU_NOT_ATTACHABLE', [
    [
      'GPUs for an N2 machine',
      gcp('instance_type: {machine_type: n2-standard-4, gpu_type: nvidia-tesla-t4, gpu_num: ➤1}'),
      'N1',
    ],
    ['built-in GPUs for an N1 machine', gcp('instance_type: {gpu_type: ➤nvidia-l4, gpu_num: 1}'), 'N1'],
  ]),
  ...cases('MASTER_URL_USERINFO', [
    ['a password', local('master_url: ➤https://bob:secret@m:8443'), 'up to the "@"'],
  ]),
  ...cases('MASTER_URL_INVALID', [
    ['no scheme', local('master_url: ➤master:8443'), 'Write "https://master:8443"'],
    ['another scheme', local('master_url: ➤wss://master:8443'), '"https://"'],
    ['a path', local('master_url: ➤https://master:8443/'), 'Write "https://master:8443"'],
    [
      'a port beyond all ports',
      local('master_url: ➤https://master:99999'),
      '"https://master.example.com:8443"',
    ],
    ['IPv6 without brackets', local('master_url: ➤https://fd00::1'), 'Write "https://[fd00::1]"'],
    ['IPv6 that is none', local('master_url: ➤https://[fd00::1::2]'), '[2001:db8::1]'],
    ['IPv4 with leading zeros', local('master_url: ➤http://010.0.0.5'), 'leading zeros'],
    ['a blank in the host', local('master_url: ➤"https://my master"'), 'without a path'],
    ['a wrong one of several', local('master_url: ["https://a:1", ➤"b:1"]'), 'Write "https://b:1"'],
    ['one of several without a host', local('master_url: ["https://a:1", ➤"https://:1"]'), 'each master'],
    ['an empty one of several', local('master_url: [➤"", "https://a:1"]'), 'each master'],
    ['two schemes', local('master_url: ["https://a:1", ➤"http://b:1"]'), 'the same scheme'],
    ['a number among addresses', local('master_url: ["https://a:1", ➤8443]'), 'https://8443'],
  ]),
]
