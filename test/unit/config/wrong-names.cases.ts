// Wrong input: placeholders, names that a cloud cannot have, files in place of texts, and misspelt or misplaced keys that
// would switch TLS off or leave no pool.
import { aws, gcp, local, type WrongInput } from './marked.ts'
import { cases } from './wrong-keys.cases.ts'

const profile = 'iam_instance_profile_arn'
/** A variable in braces, as shells write it. */
const shell = (name: string) => ['$', '{', name, '}'].join('')

export const wrongNames: WrongInput[] = [
  ...cases('CONFIG_BAD_VALUE', [
    ['the name of a script', aws('startup_script: ➤./setup.sh'), 'the lines of ./setup.sh indented'],
    [
      'the name of a script in a folder',
      local('startup_script: ➤scripts/setup.sh'),
      'the lines of scripts/setup.sh',
    ],
    [
      'the name of a script for the container',
      aws('container_startup_script: ➤./hook.py'),
      'container_startup_script: |',
    ],
  ]),
  ...cases('CONFIG_MISSING_KEY', [
    [
      'the keys of a provider beside pool_name',
      'resource_pools:\n  - pool_name: p\n    ➤type: local\n    max_instances: 1\n    slots: 1',
      'Write `provider:` above type, and indent type, max_instances and slots',
    ],
  ]),
  ...cases('CONFIG_WRONG_TYPE', [
    ['a size for a volume', aws('volume: ➤500GB'), 'below it: type, size, encrypted'],
  ]),
  ...cases('CONFIG_PLACEHOLDER', [
    ['a variable of the shell', aws(`region: ➤${shell('AWS_REGION')}`), 'envsubst'],
    ['a variable without braces', aws('region: ➤$AWS_REGION'), 'envsubst'],
    [
      'a variable inside a name',
      aws(`${profile}: ➤"arn:aws:iam::\${ACCOUNT}:instance-profile/a"`),
      'envsubst',
    ],
    [
      'a bare variable inside a name',
      aws(`${profile}: ➤"arn:aws:iam::$ACCOUNT:instance-profile/a"`),
      'envsubst',
    ],
    ['a command', aws('region: ➤$(aws configure get region)'), 'envsubst'],
    ['a template of Jinja or Helm', aws('region: ➤{{ region }}'), 'render the file'],
    ['a quoted template', aws('region: ➤"{{ .Values.region }}"'), 'render the file'],
    ['a word in angle brackets', aws('subnet_ids: [subnet-1, ➤<your-subnet>]'), 'itself'],
    ['an order to the reader', gcp('project: ➤CHANGEME'), 'itself'],
    ['an order inside a name', aws('network_interface: {security_group_id: ➤sg-REPLACE_ME}'), 'itself'],
    ['the name of an example', gcp('project: ➤your-project-id'), 'itself'],
    ['an id of x', aws('subnet_ids: [➤subnet-xxxxxxxx]'), 'itself'],
    ['instead of a number', local(`max_instances: ➤${shell('MAX')}`), 'envsubst'],
    ['instead of a duration', local('max_idle_agent_period: ➤$IDLE'), 'envsubst'],
    ['instead of a type', local(`agent_runtime: ➤${shell('RUNTIME')}`), 'envsubst'],
    ['in the certificate', 'security: {tls: {cert: ➤$CERT_FILE}}\ndemand: {type: push}', 'envsubst'],
    ['in a cluster id', `cluster_id: ➤${shell('CLUSTER')}\ndemand: {type: push}`, 'envsubst'],
    ['in a pool name', 'resource_pools: [{pool_name: ➤<pool>, agents: any}]', 'itself'],
    ['in a tag', aws(`custom_tags: [{key: team, value: ➤"${shell('TEAM')}"}]`), 'envsubst'],
  ]),
  ...cases('CONFIG_BAD_VALUE', [
    ['a misspelt region', aws('region: ➤us-wst-2'), 'Did you mean "us-west-2"?'],
    ['a misspelt direction', aws('region: ➤us-est-1'), 'Did you mean "us-east-1"?'],
    ['a region without dashes', aws('region: ➤uswest2'), '"us-west-2"'],
    ['a region by its city', aws('region: ➤Oregon'), '"us-west-2"'],
    ['a zone as region', aws('region: ➤us-west-2a'), '`region: us-west-2`'],
    ['a local zone as region', aws('region: ➤us-west-2-lax-1a'), '`region: us-west-2`'],
    ['a region of Google', aws('region: ➤us-central1'), '"us-west-2"'],
    ['another id as image', aws('subnet_ids: [➤sg-0123456789abcdef0]'), '"subnet-0123456789abcdef0"'],
    ['a network as subnet', aws('network_interface: {subnet_id: ➤vpc-0123456789abcdef0}'), 'subnet-'],
    ['a name as security group', aws('network_interface: {security_group_id: ➤default}'), 'sg-'],
    ['a name as instance profile', aws(`${profile}: ➤agent`), 'arn:aws:iam::ACCOUNT'],
    ['a role as instance profile', aws(`${profile}: ➤arn:aws:iam::123456789012:role/agent`), 'a role'],
    ['a short account', aws(`${profile}: ➤arn:aws:iam::123:instance-profile/agent`), '12 digits'],
    ['a parameter as image', imageId('resolve:ssm:/aws/x'), '`image: {ssm: /aws/x}`'],
    ['a name as image', imageId('ubuntu-22.04'), 'by its name'],
    ['a zone in upper case', gcp('zone: ➤US-central1-a'), 'Write "us-central1-a"'],
    ['a member of a policy', gcp('service_account: {email: ➤"serviceAccount:a@b.c"}'), 'Write "a@b.c"'],
    ['a network tag in upper case', gcp('network_tags: [➤Allow_SSH]'), 'firewall-rules list'],
    [
      'a reservation by its ARN',
      reservation('arn:aws:ec2:us-west-2:123456789012:capacity-reservation/cr-1'),
      'its id',
    ],
    ['a file as key pair', aws('ssh_key_name: ➤~/.ssh/cluster.pem'), 'describe-key-pairs'],
    ['a family as instance type', aws('instance_type: ➤g5'), 'FAMILY.SIZE'],
    ['a name of another form in a list', aws('instance_types: [g5.xlarge, ➤g5]'), 'FAMILY.SIZE'],
    ['a dash in an instance type', aws('instance_type: ➤g5-xlarge'), 'Did you mean "g5.xlarge"?'],
    ['a machine type of Google', aws('instance_types: [{type: ➤n1-standard-8, slots: 1}]'), 'FAMILY.SIZE'],
    ['a region as zone', gcp('zone: ➤us-central1'), '"us-central1-a"'],
    ['a region among zones', gcp('zones: [us-central1-a, ➤us-central1]'), '"us-central1-a"'],
    ['a zone without its dash', gcp('zone: ➤us-central1a'), 'Did you mean "us-central1-a"?'],
    ['a zone of AWS', gcp('zone: ➤us-west-2a'), 'AWS'],
    ['a URL as zone', gcp('zone: ➤projects/p/zones/us-central1-a'), '"us-central1-a"'],
    ['a path as project', gcp('project: ➤projects/my-project'), '`project: my-project`'],
    ['a display name as project', gcp('project: ➤My Project'), 'gcloud projects list'],
    ['a network as subnetwork', subnetwork('projects/p/global/networks/n'), 'subnetworks/NAME'],
    ['no e-mail address', gcp('service_account: {email: ➤agent}'), 'iam.gserviceaccount.com'],
  ]),
  ...cases('CONFIG_UNKNOWN_LOCATION', [
    ['a region that may be new', aws('region: ➤us-west-9'), 'Did you mean "us-west-'],
    ['an area that may be new', aws('region: ➤nz-north-1'), ''],
  ]),
  ...cases('CONFIG_CONFLICT', [
    [
      'an instance profile of another partition',
      aws(`region: cn-north-1\n${profile}: ➤arn:aws:iam::123456789012:instance-profile/a`),
      'arn:aws-cn',
    ],
    [
      'a key of another region',
      aws(
        `region: us-west-2\nvolume: {kms_key_id: ➤arn:aws:kms:us-east-1:123456789012:key/${'0'.repeat(8)}}`,
      ),
      'Use a key of us-west-2',
    ],
    [
      'a subnetwork of another region',
      gcp(
        'zone: us-central1-a\nnetwork_interface: {network: n, subnetwork: ➤projects/p/regions/us-west1/subnetworks/s}',
      ),
      'zone of us-west1',
    ],
  ]),
  ...cases('CONFIG_UNKNOWN_KEY', [
    ['a misspelt security', '➤securty: {tls: {cert: c}}\ndemand: {type: push}', 'Did you mean "security"?'],
    [
      'a misspelt list of pools',
      '➤resource_pool: []\ndemand: {type: push}',
      'Did you mean "resource_pools"?',
    ],
    ['a short list of pools', '➤pools: []\ndemand: {type: push}', 'resource_pools'],
    ['tls at the top', '➤tls: {cert: c, key: k}\ndemand: {type: push}', 'security: {tls:'],
    ['a misspelt tls', 'security: {➤tsl: {cert: c}}\ndemand: {type: push}', 'Did you mean "tls"?'],
    ['a certificate without tls', 'security: {➤cert: c}\ndemand: {type: push}', 'security: {tls:'],
    ['a misspelt demand', '➤demnd: {type: push}\nresource_pools: [{pool_name: p, agents: any}]', '"demand"'],
    [
      'a misspelt provider of a pool',
      'resource_pools:\n  - pool_name: p\n    ➤providers: {}\n    agents: any',
      'Did you mean "provider"?',
    ],
  ]),
]

function imageId(id: string): string {
  return aws(`image_id: ➤${id}`).replace(/^ *image:.*\n/m, '')
}

function reservation(id: string): string {
  return aws(`capacity: {reservation: ➤"${id}"}`)
}

function subnetwork(path: string): string {
  return gcp(`network_interface: {network: n, subnetwork: ➤${path}}`)
}
