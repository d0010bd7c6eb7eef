// Accelerators of EC2 instance types, known without asking: an offline table, so that a dry-run needs no cloud.

/**
 * NVIDIA GPUs on x86 machines, as the agent's image runs on
 * (https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html; the origin's table is provconfig/aws_config.go).
 */
const gpuSizes: Record<string, Record<number, string>> = {
  p2: { 1: 'xlarge', 8: '8xlarge', 16: '16xlarge' },
  p3: { 1: '2xlarge', 4: '8xlarge', 8: '16xlarge' },
  p3dn: { 8: '24xlarge' },
  p4d: { 8: '24xlarge' },
  p4de: { 8: '24xlarge' },
  p5: { 1: '4xlarge', 8: '48xlarge' },
  p5e: { 8: '48xlarge' },
  p5en: { 8: '48xlarge' },
  'p6-b200': { 8: '48xlarge' },
  'p6-b300': { 8: '48xlarge' },
  g4dn: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge', 8: 'metal' },
  g5: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge 24xlarge', 8: '48xlarge' },
  g6: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge 24xlarge', 8: '48xlarge' },
  g6e: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge 24xlarge', 8: '48xlarge' },
  gr6: { 1: '4xlarge 8xlarge' },
  g7e: { 1: '2xlarge 4xlarge 8xlarge', 2: '12xlarge', 4: '24xlarge', 8: '48xlarge' },
}

/**
 * Families without accelerators: their first letters are followed by a generation
 * (https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html). `dl`, `inf`, `trn`, `f` and `vt`
 * have accelerators this agent cannot use by itself, so they are not here.
 */
const plainType =
  /^(?:[acdhimrtxz]|hpc|im|is)\d+[a-z]*(?:-[a-z\d]+)?\.(?:nano|micro|small|medium|large|\d*xlarge|metal(?:-\d+xl)?)$/

/** undefined when the type is not known here. */
export function awsAccelerators(type: string): number | undefined {
  const [family = '', size = ''] = type.split('.')
  const sizes = Object.hasOwn(gpuSizes, family) ? gpuSizes[family]! : {}
  for (const [count, names] of Object.entries(sizes))
    if (names.split(' ').includes(size)) return Number(count)
  return plainType.test(type) ? 0 : undefined
}

/** Every GPU type of the table, for suggestions. */
export function knownGpuTypes(): string[] {
  return Object.entries(gpuSizes).flatMap(([family, sizes]) =>
    Object.values(sizes).flatMap((names) => names.split(' ').map((size) => `${family}.${size}`)),
  )
}
