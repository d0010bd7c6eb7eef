// One setup for each kind of script: every cloud, trust mode, slot type and runtime at least once.
import { exampleChain, joinSetup, type SetupChanges, trustPlan } from './agent-setups.ts'

const name = 'determined-master.example.com'

export const scriptSamples: Record<string, SetupChanges> = {
  'aws-docker-embed-cuda': {},
  'aws-docker-system-cuda-scripts-and-logs': {
    trust: trustPlan('system', name),
    startupScript: '#!/bin/bash\nmount /data\n',
    containerStartupScript: '#!/bin/bash\npip install extra\n',
    docker: {
      network: 'host',
      logOptions: [
        '--log-driver=awslogs',
        '--log-opt=awslogs-group=agents',
        '--log-opt=awslogs-stream=gpu pool',
      ],
    },
  },
  'aws-docker-skip-verify-cpu': { trust: trustPlan('skip_verify'), slotType: 'cpu' },
  'aws-process-embed-none': {
    runtime: 'process',
    slotType: 'none',
    command: ['determined-agent', 'run'],
    poweroffIfNeverJoined: false,
  },
  'gcp-docker-embed-cuda': { cloud: 'gcp', docker: { logOptions: ['--log-driver=gcplogs'] } },
  'gcp-docker-off-none': {
    cloud: 'gcp',
    slotType: 'none',
    trust: trustPlan('off'),
    master: { scheme: 'http', port: 8080 },
  },
  'gcp-docker-embed-rocm-by-address': {
    cloud: 'gcp',
    slotType: 'rocm',
    trust: trustPlan('embed', 'fd00::5'),
    master: { host: 'fd00::5' },
  },
  'gcp-process-system-cpu': {
    cloud: 'gcp',
    runtime: 'process',
    slotType: 'cpu',
    trust: trustPlan('system'),
    master: { host: 'master.example.com', port: 443 },
    command: ['determined-agent', 'run'],
  },
  'aws-docker-system-public-root': {
    slotType: 'cpu',
    trust: { ...trustPlan('system', name), wellKnownRoot: exampleChain()[2] },
  },
  'aws-docker-join': {
    slotType: 'none',
    join: joinSetup('https://10.0.0.5:8443', name, 'aws-sts'),
  },
  'aws-docker-join-at-own-address': {
    slotType: 'none',
    trust: trustPlan('system', name),
    join: {
      ...joinSetup(
        'https://provision.example.com:8444',
        'provision.example.com',
        'aws-sts',
        'aws-identity-document',
      ),
      chain: exampleChain()
        .map(({ pem }) => pem)
        .join(''),
    },
  },
  'gcp-process-join': {
    cloud: 'gcp',
    runtime: 'process',
    slotType: 'none',
    trust: trustPlan('system', name),
    join: joinSetup('https://10.0.0.5:8443', name, 'gcp-identity-token'),
    command: ['determined-agent', 'run'],
  },
  'local-process-join': {
    cloud: 'local',
    runtime: 'process',
    slotType: 'none',
    join: joinSetup('https://127.0.0.1:8443', name, 'local-secret'),
    master: { host: '127.0.0.1' },
    command: ['/usr/bin/node', '/opt/provision/cli.js', 'agent'],
  },
  'local-process-embed-auto': {
    cloud: 'local',
    runtime: 'process',
    slotType: 'auto',
    master: { host: '127.0.0.1' },
    command: ['/usr/bin/node', '/opt/provision/cli.js', 'agent'],
  },
  'local-process-skip-verify-none': {
    cloud: 'local',
    runtime: 'process',
    slotType: 'none',
    trust: trustPlan('skip_verify', name),
    command: ['/usr/bin/node', '/opt/provision/cli.js', 'agent'],
    startupScript: 'touch ready\n',
    poweroffIfNeverJoined: false,
  },
  'aws-process-several-masters': {
    runtime: 'process',
    slotType: 'none',
    otherMasters: [{ scheme: 'https', host: 'fd00::6', port: 9443 }],
    command: ['determined-agent', 'run'],
  },
  'gcp-docker-join-several-masters': {
    cloud: 'gcp',
    slotType: 'none',
    trust: trustPlan('embed'),
    master: { host: 'master-a.example.com' },
    otherMasters: [{ scheme: 'https', host: 'master-b.example.com', port: 8443 }],
    docker: { image: 'registry.example.com/provision-agent:0.1.0' },
    join: {
      ...joinSetup('https://master-a.example.com:8443', 'master-a.example.com', 'gcp-identity-token'),
      others: [{ url: 'https://master-b.example.com:8443', name: 'master-b.example.com' }],
    },
  },
}
