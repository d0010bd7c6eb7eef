// What every VM of a pool is: image, disk, network, metadata service, shutdown. The same in RunInstances and in a template.
import type { RunInstancesRequest } from '@aws-sdk/client-ec2'
import { type Problem, problem } from '../../problems/problem.ts'
import type { AwsConfig } from './aws-config.ts'
import type { SettledFacts } from './facts.ts'

export function machineOf(config: AwsConfig, facts: SettledFacts) {
  return {
    ImageId: facts.imageId,
    UserData: facts.userData,
    BlockDeviceMappings: [{ DeviceName: facts.rootDevice, Ebs: rootVolume(config) }],
    // An agent VM is never resumed: the script that powers it off means to be rid of it.
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: config.metadata_hop_limit,
    },
    ...(config.ssh_key_name ? { KeyName: config.ssh_key_name } : {}),
    ...(config.iam_instance_profile_arn
      ? { IamInstanceProfile: { Arn: config.iam_instance_profile_arn } }
      : {}),
  } satisfies Partial<RunInstancesRequest>
}

/** The one network interface; without `subnet` the call or EC2 chooses it (the default VPC). */
export function networkInterface(config: AwsConfig, subnet = '') {
  const { public_ip, security_group_id } = config.network_interface
  return {
    DeviceIndex: 0,
    AssociatePublicIpAddress: public_ip,
    DeleteOnTermination: true,
    ...(subnet ? { SubnetId: subnet } : {}),
    ...(security_group_id ? { Groups: [security_group_id] } : {}),
  }
}

function rootVolume({ volume }: AwsConfig) {
  return {
    VolumeType: volume.type as 'gp3',
    VolumeSize: volume.size,
    DeleteOnTermination: true,
    // Left out rather than false: the account may encrypt by default, and a snapshot may be encrypted.
    ...(volume.encrypted ? { Encrypted: true } : {}),
    ...(volume.iops === undefined ? {} : { Iops: volume.iops }),
    ...(volume.throughput === undefined ? {} : { Throughput: volume.throughput }),
  }
}

/** A hop limit above 1 lets the metadata service's answers into containers (origin: aws.go asks for 2). */
export function metadataProblems({ metadata_hop_limit, iam_instance_profile_arn }: AwsConfig): Problem[] {
  if (metadata_hop_limit < 2) return []
  const credentials = iam_instance_profile_arn ? ` and the credentials of ${iam_instance_profile_arn}` : ''
  return [
    problem(
      'REQUEST_METADATA_OPEN',
      `task containers can read the VM's user data${credentials} from the metadata service: metadata_hop_limit is ${metadata_hop_limit}`,
    ),
  ]
}
