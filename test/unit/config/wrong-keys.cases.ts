// Wrong input, one case for each rule: keys, types, forms and the rules for every provider.
import { aws, gcp, local, type WrongInput } from './marked.ts'

export const wrongKeys: WrongInput[] = [
  ...cases('CONFIG_BAD_VALUE', [
    ['a schema of PostgreSQL itself', 'state: {type: postgres, schema: ➤pg_catalog}', 'Write'],
    ['an empty folder', "state_dir: ➤''", 'at least one character'],
  ]),
  ...cases('CONFIG_BAD_CHOICE', [
    ['an unknown store', 'state: {type: ➤postgresql}', '"folder" or "postgres"'],
  ]),
  ...cases('CONFIG_UNKNOWN_KEY', [['a misspelt key of the state', 'state: {➤tpye: folder}', 'mean "type"']]),
  ...cases('CONFIG_UNKNOWN_KEY', [
    ['a misspelt key of a provider', aws('➤max_instancs: 5'), 'Did you mean "max_instances"?'],
    ['a key in camelCase', aws('➤maxInstances: 5'), 'Did you mean "max_instances"?'],
    ['a key nobody knows', aws('➤colour: red'), 'docs/configuration.md'],
    [
      'a misspelt key one level down',
      aws('network_interface: {➤public_pi: true}'),
      'Did you mean "public_ip"?',
    ],
    [
      'a key that begins like a known one',
      aws('network_interface: {➤subnet: x}'),
      'network_interface.subnet_id',
    ],
    ['a misspelt key in tls', local('tls: {➤trusts: auto}'), 'Did you mean "trust"?'],
    ['a key too many in a list entry', aws('custom_tags: [{key: a, value: b, ➤note: c}]'), 'key, value'],
    ['a misspelt key in security.tls', 'security:\n  tls: {cert: c, ➤kee: k}', 'Did you mean "key"?'],
    ['a misspelt key in demand', 'demand: {➤typ: push}', 'Did you mean "type"?'],
    [
      'a misspelt key in listen',
      'security: {tls: {cert: c}}\nlisten: {➤adress: x}',
      'Did you mean "address"?',
    ],
    ["another cloud's key", gcp('➤image: {id: ami-1}'), 'boot_disk_source_image'],
    ["another cloud's key without a translation", local('➤region: x'), '`type: aws`'],
    ['zones on AWS', aws('➤zones: [us-west-2a]'), 'subnet_ids'],
    ['the old name of type in the new form', aws('➤provider: aws'), 'Write "type"'],
  ]),
  ...cases('CONFIG_SUSPECT_KEY', [
    ['a misspelt key at the top', '➤clustr_id: c\ndemand: {type: push}', 'Did you mean "cluster_id"?'],
    [
      'a misspelt key of a pool',
      'resource_pools:\n  - pool_name: p\n    ➤descripton: d\n    agents: any',
      'Did you mean "description"?',
    ],
    [
      "a misspelt key of the provider's in the pool",
      'resource_pools:\n  - pool_name: p\n    ➤max_instance: 3\n    agents: any',
      'Did you mean "max_instances", below provider?',
    ],
    [
      "a provider's key in the pool",
      'resource_pools:\n  - pool_name: p\n    ➤max_instances: 3\n    agents: any',
      'Move it below provider',
    ],
    [
      'a misspelt key of the manager',
      'resource_manager: {➤client_cas: x}\ndemand: {type: push}',
      'Did you mean "client_ca"?',
    ],
  ]),
  ...cases('CONFIG_WRONG_TYPE', [
    ['a certificate that is not named', 'security:\n  tls:\n    ➤cert:\nport: 8080', 'Write `cert: FILE`'],
    ['TLS with nothing below it', 'security:\n  ➤tls:\nport: 8080', 'remove the line'],
    [
      'the keys of the provider with its own indentation',
      'resource_pools:\n  - pool_name: p\n    ➤provider:\n    type: aws\n    region: us-west-2\n    max_instances: 3',
      'Indent type, region and max_instances by two spaces more than provider.',
    ],
    ['a number in quotes', aws('max_instances: ➤"5"'), 'without quotes'],
    ['a fraction for an integer', aws('max_instances: ➤1.5'), 'integer'],
    ['a boolean in quotes', aws('network_interface: {public_ip: ➤"yes"}'), 'true or false, without quotes'],
    ['a word for a boolean', aws('cpu_slots_allowed: ➤maybe'), 'true or false'],
    ['a list for a string', aws('master_cert_name: ➤[a]'), 'Write a string'],
    ['a string for a list', gcp('network_tags: ➤a'), '- item'],
    ['an empty list entry', gcp('zones: [us-central1-a, ➤~]'), 'at least one character'],
    ['a string for a mapping', aws('tls: ➤embed'), 'indented below it'],
    ['a string for labels', gcp('labels: ➤a'), 'name: value'],
    ['a list for spot', aws('spot: ➤[true]'), 'fallback'],
    ['a list for the agent configuration', local('agent_config_file_contents: ➤[a]'), 'agent.yaml'],
    ['a string for the pools', 'resource_pools: ➤gpu', 'pool_name'],
    ['a string for a pool', 'resource_pools:\n  - ➤gpu', 'pool_name'],
    ['a string for a provider', 'resource_pools: [{pool_name: p, provider: ➤aws}]', 'type'],
    ['a string for a price', 'prices: {g5.xlarge: ➤"0.5"}', 'without quotes'],
    ['a mapping for a string', 'cluster_name: ➤{a: 1}', 'Write a string'],
  ]),
  ...cases('CONFIG_OUT_OF_RANGE', [
    ['no instance at most', aws('max_instances: ➤0'), 'at least 1'],
    ['a negative number', aws('min_instances: ➤-1'), 'at least 0'],
    ['more at least than at most', aws('min_instances: ➤9\nmax_instances: 3'), 'Raise max_instances'],
    ['more at least than the default allows', aws('min_instances: ➤9'), 'Raise max_instances'],
    ['a small root disk', aws('root_volume_size: ➤50'), 'at least 100'],
    ['a small boot disk', gcp('boot_disk_size: ➤50'), 'at least 100'],
    ['a port beyond all ports', 'port: ➤70000', 'from 0 to 65535'],
    ['a number beyond all numbers', local('max_instances: ➤9999999999999999999'), 'integer'],
    ['no launch an hour', local('launch_rate: ➤0'), 'at least 1'],
    ['a negative price', 'prices: {g5.xlarge: ➤-1}', 'number'],
    ['a preflight port beyond all ports', local('preflight_address: ➤h:70000'), 'range'],
    ['few IOPS for gp3', aws('volume: {iops: ➤200}'), 'range'],
    ['no instance types', aws('instance_types: ➤[]'), 'range'],
  ]),
  ...cases('CONFIG_BAD_CHOICE', [
    ['a misspelt trust', local('tls: {trust: ➤embedd}'), 'Did you mean "embed"?'],
    ['a trust far from all', local('tls: {trust: ➤please}'), '"skip_verify" or "off"'],
    ['a wrong preflight', local('preflight: ➤always'), '"required", "tls" or "off"'],
    ['a wrong runtime', aws('agent_runtime: ➤dockr'), 'Did you mean "docker"?'],
    ['a wrong volume type', aws('volume: {type: ➤gp4}'), 'Did you mean "gp3"?'],
    ['a wrong spot fallback', aws('spot: {fallback: ➤yes}'), '"none" or "on_demand"'],
    ['a wrong demand', 'demand: {type: ➤built_in}', 'Did you mean "built-in"?'],
    ['a manager nobody knows', 'resource_manager: {type: ➤agnet}', 'Did you mean "agent"?'],
    [
      'a default pool that is not there',
      'resource_manager: {default_aux_resource_pool: ➤defualt}',
      'Did you mean "default"?',
    ],
    ['a default pool far from all', 'resource_manager: {default_gpu_resource_pool: ➤gpu}', 'default'],
  ]),
  ...cases('CONFIG_BAD_DURATION', [
    ['a duration without unit', local('max_idle_agent_period: ➤20'), '"20m"'],
    ['a duration in words', local('boot_timeout: ➤5 minutes'), '"1h30m"'],
    ['no time at all', local('max_idle_agent_period: ➤0s'), '"20m"'],
    ['a negative duration', local('placement_grace: ➤-5s'), 'units'],
    ['a duration in days', 'resource_pools: [{pool_name: p, agent_reconnect_wait: ➤1d}]', 'h, m, s, ms'],
  ]),
  ...cases('CONFIG_BAD_VALUE', [
    ['an image tag with a blank', local('agent_docker_image: ➤"a b"'), 'name:tag'],
    ['no agent image', local('agent_docker_image: ➤""'), 'name:tag'],
    ['a cluster id in capitals', 'cluster_id: ➤My-Cluster', 'lower case'],
    ['a preflight address without port', local('preflight_address: ➤master'), 'host:port'],
    [
      'a demand URL with a password',
      'demand: {type: determined, token_file: t, url: ➤"https://a:b@c"}',
      'password_file',
    ],
    ['an agent configuration that is no YAML', local('agent_config_file_contents: ➤"a: ["'), 'as a mapping'],
    ['an agent configuration without keys', local('agent_config_file_contents: ➤hello'), 'agent.yaml'],
    ['a number for the agent configuration', local('agent_config_file_contents: ➤5'), 'agent.yaml'],
    ['no pool name', 'resource_pools: [{pool_name: ➤""}]', 'at least one character'],
  ]),
  ...cases('CONFIG_MISSING_KEY', [
    ['a pool without name', 'resource_pools:\n  - ➤description: d', 'Add the key'],
    ['a tag without value', aws('custom_tags: [➤{key: a}]'), 'Add the key'],
  ]),
]

export function cases(
  code: WrongInput['code'],
  rows: [rule: string, text: string, remedy: string][],
): WrongInput[] {
  return rows.map(([rule, text, remedy]) => ({ rule, text, code, remedy }))
}
