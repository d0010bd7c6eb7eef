// The same setting written in another way makes no instance drifted; another setting does.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keysBetween, type LaunchFolder, launchedOf, launchFolder } from '../../support/launched.ts'

let folder: LaunchFolder
beforeAll(async () => {
  folder = await launchFolder()
})
afterAll(() => folder.dispose())

const aws = {
  type: 'aws',
  master_url: 'https://master.test:8443',
  image: { id: 'ami-0123456789abcdef0' },
  instance_type: 'g5.xlarge',
}
const gcp = {
  type: 'gcp',
  master_url: 'https://master.test:8443',
  project: 'p',
  zone: 'us-central1-a',
  boot_disk_source_image: 'projects/p/global/images/family/f',
  instance_type: { machine_type: 'g2-standard-4' },
}
const groups = (...security_group_ids: string[]) => ({ network_interface: { security_group_ids } })
const tags = (...keys: string[]) => ({ custom_tags: keys.map((key) => ({ key, value: `of ${key}` })) })
const price = (max_price: string) => ({ spot: { enabled: true, max_price } })
const master = (...master_url: string[]) => ({ master_url, master_cert_name: 'master.test' })
const named = (count: number) => Array.from({ length: count }, (_, n) => `x-${(n * 7) % count}`)

/** Ways to write one setting, and others that differ from it. */
const cases: [what: string, key: string, base: object, same: object[], others: object[]][] = [
  [
    'security groups in another order',
    'network_interface',
    aws,
    [groups('sg-2', 'sg-1', 'sg-10'), groups('sg-1', 'sg-10', 'sg-2'), groups('sg-10', 'sg-2', 'sg-1')],
    [groups('sg-1', 'sg-2'), groups('sg-1', 'sg-2', 'sg-11')],
  ],
  [
    'tags in another order',
    'custom_tags',
    aws,
    [tags('b', 'a', 'B'), tags('B', 'b', 'a'), tags('a', 'b', 'B')],
    [tags('a', 'b'), tags('a', 'b', 'c')],
  ],
  [
    'many tags in another order',
    'custom_tags',
    aws,
    [tags(...named(20)), tags(...named(20).reverse())],
    [tags(...named(19))],
  ],
  [
    'labels in another order',
    'labels',
    gcp,
    [{ labels: { a: '1', b: '2' } }, { labels: { b: '2', a: '1' } }],
    [{ labels: { a: '2', b: '1' } }],
  ],
  [
    'network tags in another order',
    'network_tags',
    gcp,
    [{ network_tags: ['a', 'b'] }, { network_tags: ['b', 'a'] }],
    [{ network_tags: ['a', 'c'] }],
  ],
  [
    'a price with other zeros',
    'spot',
    aws,
    [price('0.5'), price('0.50'), price('.5'), price('00.500')],
    [price('0.51'), price('5'), price('0.05')],
  ],
  [
    'a whole price',
    'spot',
    aws,
    [price('2'), price('2.'), price('2.0'), { spot: true, spot_max_price: '2.00' }],
    [{ spot: true }, price('20')],
  ],
  [
    'a long IPv6 address',
    'master_url',
    aws,
    ['fd00::5', 'FD00:0::5', 'fd00:0000:0:0:0:0:0:0005', 'fd00::0.0.0.5'].map((ip) =>
      master(`https://[${ip}]:8443`),
    ),
    [master('https://[fd00::6]:8443'), master('https://[fd00::5]:8444')],
  ],
  [
    'a name in capitals, or with a final dot',
    'master_url',
    gcp,
    [
      master('https://master.test:8443'),
      { ...master(), master_url: 'https://Master.Test.:8443' },
      master('HTTPS://MASTER.test:8443'),
    ],
    [master('https://also.test:8443')],
  ],
  [
    // Agents dial in this order.
    'masters, but for their order',
    'master_url',
    { ...aws, agent_docker_image: 'agent:1' },
    [
      master('https://[fd00::5]:8443', 'https://master.test:8443'),
      master('https://[fd00:0::5]:8443', 'https://MASTER.test:8443'),
    ],
    [master('https://master.test:8443', 'https://[fd00::5]:8443')],
  ],
]

it.each(cases)('%s', async (_, key, base, same, others) => {
  const [first, ...rest] = await Promise.all(same.map((way) => launchedOf(folder, { ...base, ...way })))
  for (const way of rest) expect(keysBetween(first!, way)).toEqual([])
  expect(new Set(rest.map(({ generation }) => generation.id))).toEqual(new Set([first!.generation.id]))
  for (const other of others)
    expect(keysBetween(first!, await launchedOf(folder, { ...base, ...other }))).toEqual([key])
})
