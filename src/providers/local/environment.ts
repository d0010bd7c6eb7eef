// The environment of a local VM: what a machine has, and which VM it is. Nothing else of ours reaches it.

type Environment = Readonly<Record<string, string | undefined>>

const ofTheMachine = ['PATH', 'TMPDIR', 'LANG', 'LC_ALL'] as const
export const vmVariables = [...ofTheMachine, 'PROVISION_ROOT', 'PROVISION_INSTANCE_ID'] as const

export function vmEnvironment({
  id,
  root,
  env,
}: {
  id: string
  root: string
  env: Environment
}): Environment {
  const machine = Object.fromEntries(ofTheMachine.map((name) => [name, env[name]]))
  return { ...machine, PROVISION_ROOT: root, PROVISION_INSTANCE_ID: id }
}

/** What every process of the VM has in its environment, and no other process. */
export function rootVariable(root: string): string {
  return `PROVISION_ROOT=${root}`
}
